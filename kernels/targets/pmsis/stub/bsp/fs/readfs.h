/* Part of hwgen's stand-in for the GAP SDK, see ../../pmsis.h: the read-only file system. */
#ifndef HWGEN_STUB_BSP_FS_READFS_H
#define HWGEN_STUB_BSP_FS_READFS_H

#include "bsp/fs.h"

struct pi_readfs_conf {
    struct pi_fs_conf fs;
};

void pi_readfs_conf_init(struct pi_readfs_conf *conf);

#endif
