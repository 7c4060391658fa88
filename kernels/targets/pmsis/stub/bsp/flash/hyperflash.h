/* Part of hwgen's stand-in for the GAP SDK, see ../../pmsis.h: HyperFlash. */
#ifndef HWGEN_STUB_BSP_FLASH_HYPERFLASH_H
#define HWGEN_STUB_BSP_FLASH_HYPERFLASH_H

#include "pmsis.h"

struct pi_hyperflash_conf {
    int id;
};

void pi_hyperflash_conf_init(struct pi_hyperflash_conf *conf);
int32_t pi_flash_open(struct pi_device *device);
void pi_flash_close(struct pi_device *device);

#endif
