# SPDX-License-Identifier: MIT
"""mhc for Conan 2: `conan create cmake/packaging/conan` in a clone."""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, CMakeDeps, cmake_layout
from conan.tools.files import copy, load, rmdir

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
SOURCES = ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*")


class MhcConan(ConanFile):
    name = "mhc"
    description = "Manifold-constrained hyper-connections, header-only, on Eigen"
    license = "MIT"
    topics = ("deep-learning", "hyper-connections", "eigen", "header-only")
    settings = "os", "compiler", "build_type", "arch"
    options = {"c": [True, False], "shared": [True, False], "fPIC": [True, False]}
    default_options = {"c": False, "shared": False, "fPIC": True}
    package_type = "library"

    def set_version(self):
        header = load(self, os.path.join(REPOSITORY, "include", "mhc", "version.hpp"))
        self.version = re.search(r'MHC_VERSION_STRING "([0-9.]+)"', header).group(1)

    def export_sources(self):
        for pattern in SOURCES:
            copy(self, pattern, src=REPOSITORY, dst=self.export_sources_folder)

    def configure(self):
        if not self.options.c:
            self.package_type = "header-library"
            self.options.rm_safe("shared")
            self.options.rm_safe("fPIC")
        elif self.options.shared:
            self.options.rm_safe("fPIC")

    def package_id(self):
        if not self.info.options.c:
            self.info.clear()

    def requirements(self):
        self.requires("eigen/3.4.0", transitive_headers=True)

    def validate(self):
        check_min_cppstd(self, 17)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "EXAMPLES", "BENCHMARKS"):
            toolchain.cache_variables[f"MHC_BUILD_{part}"] = False
        toolchain.cache_variables["MHC_INSTALL"] = True
        toolchain.cache_variables["MHC_BUILD_C"] = bool(self.options.c)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", src=self.source_folder,
             dst=os.path.join(self.package_folder, "licenses"))
        # CMakeDeps and PkgConfigDeps write their own.
        rmdir(self, os.path.join(self.package_folder, "share"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "mhc")
        headers = self.cpp_info.components["mhc"]
        headers.set_property("cmake_target_name", "mhc::mhc")
        headers.set_property("pkg_config_name", "mhc")
        headers.requires = ["eigen::eigen"]
        headers.bindirs = []
        headers.libdirs = []
        if self.options.c:
            library = self.cpp_info.components["c"]
            library.set_property("cmake_target_name", "mhc::c")
            library.set_property("pkg_config_name", "mhc_c")
            library.libs = ["mhc_c"]
            library.requires = ["mhc"]
            if self.settings.os in ("Linux", "FreeBSD"):
                library.system_libs = ["stdc++", "m"] if not self.options.shared else []
