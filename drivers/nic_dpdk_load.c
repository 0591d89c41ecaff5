// SPDX-License-Identifier: BSD-3-Clause
// The same two functions for programs that do without DPDK until they are asked for it.
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/nic_dpdk_module.h"

static const struct nic_dpdk_module *module;

// The module lies beside the program, in the build folder as after installation.
static bool path_beside_program(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	if (n <= 0)
		return false;
	path[n] = 0;
	char *slash = strrchr(path, '/');
	size_t left = size - (size_t)(slash + 1 - path);
	return (size_t)snprintf(slash + 1, left, "%s", NIC_DPDK_MODULE) < left;
}

static int module_load(char *text)
{
	char path[4096];
	if (!path_beside_program(path, sizeof(path)))
		return -ENOEXEC;
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		snprintf(text, NIC_DPDK_TEXT_LEN,
			 "DPDK cannot be loaded: %s; install the packages that tools/setup names "
			 "and build again",
			 dlerror());
		return -ENOEXEC;
	}
	const struct nic_dpdk_module *m = dlsym(handle, NIC_DPDK_MODULE_SYMBOL);
	if (!m || strcmp(m->version, FLYOVER_VERSION)) {
		snprintf(text, NIC_DPDK_TEXT_LEN,
			 NIC_DPDK_MODULE
			 " beside the program is of another version; install both from one build");
		dlclose(handle);
		return -ENOEXEC;
	}
	module = m;
	return 0;
}

int nic_dpdk_open(const struct nic_dpdk_settings *set, struct nic **nics, char *text)
{
	text[0] = 0;
	int rc = module ? 0 : module_load(text);
	return rc ? rc : module->open(set, nics, text);
}

const char *nic_dpdk_arguments(void)
{
	return module ? module->arguments() : "";
}
