// SPDX-License-Identifier: BSD-3-Clause
// What people see of a group: sums over its members, the phase that is furthest behind, and the
// first of them that waits for something.
#pragma once

struct group;

void group_sum(struct group *group);
