/* Part of hwgen's stand-in for the GAP SDK, see ../../pmsis.h: HyperRAM. */
#ifndef HWGEN_STUB_BSP_RAM_HYPERRAM_H
#define HWGEN_STUB_BSP_RAM_HYPERRAM_H

#include "bsp/ram.h"

struct pi_hyperram_conf {
    int id;
};

void pi_hyperram_conf_init(struct pi_hyperram_conf *conf);

#endif
