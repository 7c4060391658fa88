/* Part of hwgen's stand-in for the GAP SDK, see ../pmsis.h: external RAM. */
#ifndef HWGEN_STUB_BSP_RAM_H
#define HWGEN_STUB_BSP_RAM_H

#include "pmsis.h"

typedef struct pi_cl_ram_req_s {
    struct stub_transfer transfer;
} pi_cl_ram_req_t;

int32_t pi_ram_open(struct pi_device *device);
void pi_ram_close(struct pi_device *device);
int pi_ram_alloc(struct pi_device *device, uint32_t *addr, uint32_t size);
int pi_ram_free(struct pi_device *device, uint32_t addr, uint32_t size);
void pi_ram_write(struct pi_device *device, uint32_t pi_ram_addr, void *data, uint32_t size);
void pi_cl_ram_read(struct pi_device *device, uint32_t pi_ram_addr, void *addr, uint32_t size,
                    pi_cl_ram_req_t *req);
void pi_cl_ram_read_wait(pi_cl_ram_req_t *req);

#endif
