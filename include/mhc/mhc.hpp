// SPDX-License-Identifier: MIT
#pragma once

// Manifold-constrained hyper-connections in floor order: a header includes lower floors only.
// clang-format off

#include <mhc/version.hpp>              // floor 0: words
#include <mhc/host_device.hpp>          //
#include <mhc/check.hpp>                //
#include <mhc/instruction_set.hpp>      //
#include <mhc/element.hpp>              //
#include <mhc/view.hpp>                 //          streams come in as views
#include <mhc/storage.hpp>              //
#include <mhc/executor.hpp>             //
#include <mhc/arguments.hpp>            //
#include <mhc/reference.hpp>            //          the formulas' matrices
#include <mhc/residual_mapping.hpp>     // floor 1: what a site is
#include <mhc/connection.hpp>           //
#include <mhc/check_options.hpp>        //
#include <mhc/parameters.hpp>           //          phi, alpha, b
#include <mhc/rounded_phi.hpp>          //          phi for generation
#include <mhc/saved.hpp>                //          what its backward needs
#include <mhc/kernels/kernels.hpp>      // floor 2: the arithmetic
#include <mhc/sinkhorn_knopp.hpp>       // floor 3: operations
#include <mhc/birkhoff_projection.hpp>  //
#include <mhc/projection.hpp>           //
#include <mhc/gates.hpp>                //
#include <mhc/aggregate.hpp>            //
#include <mhc/merge.hpp>                //
#include <mhc/uniform_streams.hpp>      //
#include <mhc/expand.hpp>               //
#include <mhc/collapse.hpp>             //
#include <mhc/residuals.hpp>            // floor 4: x -> pre, post, res
#include <mhc/mappings.hpp>             //
#include <mhc/initialization.hpp>       //
#include <mhc/stored_layout.hpp>        //          and back to what a checkpoint stores
#include <mhc/norm_weight.hpp>          //
#include <mhc/families.hpp>             //          each released model's numbers
#include <mhc/site.hpp>                 // floor 5: a site on its streams
#include <mhc/block.hpp>                // floor 6: the four calls
#include <mhc/owned_block.hpp>          //
#include <mhc/head.hpp>                 //
#include <mhc/with_streams.hpp>         //
// clang-format on
