// SPDX-License-Identifier: BSD-3-Clause
// Everything an end-to-end test uses.
#pragma once

#include "tests/e2e/world.h"
#include "tests/e2e/net.h"
#include "tests/e2e/process.h"
#include "tests/e2e/server.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/job.h"
#include "tests/e2e/proxy.h"
#include "tests/e2e/fake.h"
#include "tests/e2e/elder.h"
#include "tests/e2e/compare.h"
#include "tests/e2e/dataset.h"
#include "tests/e2e/writer.h"
