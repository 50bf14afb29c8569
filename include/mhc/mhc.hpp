// SPDX-License-Identifier: MIT
#pragma once

// Manifold-constrained hyper-connections in floor order: a header includes lower floors only.

#include <mhc/aggregate.hpp>        //
#include <mhc/block.hpp>            //
#include <mhc/check.hpp>            //
#include <mhc/collapse.hpp>         //
#include <mhc/connection.hpp>       // floor 1: what a site is
#include <mhc/element.hpp>          //
#include <mhc/executor.hpp>         //
#include <mhc/expand.hpp>           //
#include <mhc/gates.hpp>            //
#include <mhc/head.hpp>             //
#include <mhc/initialization.hpp>   //
#include <mhc/kernels/kernels.hpp>  // floor 2: the arithmetic
#include <mhc/mappings.hpp>         // floor 4: x -> pre, post, res
#include <mhc/merge.hpp>            //
#include <mhc/parameters.hpp>       //          phi, alpha, b
#include <mhc/projection.hpp>       //
#include <mhc/reference.hpp>        // floor 3: operations
#include <mhc/saved.hpp>            //          what its backward needs
#include <mhc/shapes.hpp>           //
#include <mhc/sinkhorn_knopp.hpp>   //
#include <mhc/site.hpp>             // floor 5: the four calls
#include <mhc/storage.hpp>          //
#include <mhc/stored_layout.hpp>    //
#include <mhc/version.hpp>          // floor 0: words
#include <mhc/view.hpp>             //          streams come in as views
#include <mhc/with_streams.hpp>     //
