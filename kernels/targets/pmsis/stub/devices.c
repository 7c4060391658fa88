/*
 * External devices of the stand-in for the GAP SDK, see pmsis.h. Files in flash are files of the
 * host, in the folder HWGEN_STUB_FLASH or else the working directory.
 */
#include <string.h>

#include "bsp/flash/hyperflash.h"
#include "bsp/fs/readfs.h"
#include "bsp/ram/hyperram.h"
#include "stub.h"

/* External RAM. Address 0 is never given away, as with pi_hyperram_conf_init. */

static unsigned char *ram_data;
static uint32_t ram_used = 4;

void pi_hyperram_conf_init(struct pi_hyperram_conf *conf)
{
    conf->id = 0;
}

int32_t pi_ram_open(struct pi_device *device)
{
    (void)device;
    ram_data = malloc(STUB_RAM_BYTES);
    if (ram_data == NULL) {
        return -1;
    }
    memset(ram_data, STUB_FRESH, STUB_RAM_BYTES);
    return 0;
}

void pi_ram_close(struct pi_device *device)
{
    (void)device;
    free(ram_data);
    ram_data = NULL;
}

int pi_ram_alloc(struct pi_device *device, uint32_t *addr, uint32_t size)
{
    (void)device;
    if (size > STUB_RAM_BYTES - ram_used) {
        return -1;
    }
    *addr = ram_used;
    ram_used += (size + 3) & ~UINT32_C(3);
    return 0;
}

int pi_ram_free(struct pi_device *device, uint32_t addr, uint32_t size)
{
    (void)device;
    (void)addr;
    (void)size;
    return 0;
}

static void check_ram(uint32_t address, uint32_t size)
{
    if (ram_data == NULL || address > ram_used || size > ram_used - address) {
        stub_fail("an access outside of the allocated RAM");
    }
}

void pi_ram_write(struct pi_device *device, uint32_t pi_ram_addr, void *data, uint32_t size)
{
    (void)device;
    check_ram(pi_ram_addr, size);
    memcpy(ram_data + pi_ram_addr, data, size);
}

void pi_cl_ram_read(struct pi_device *device, uint32_t pi_ram_addr, void *addr, uint32_t size,
                    pi_cl_ram_req_t *req)
{
    if (device == NULL) {
        stub_fail("reads RAM that was not opened");
    }
    check_ram(pi_ram_addr, size);
    stub_read_ram(ram_data + pi_ram_addr, addr, size, req);
}

/* Flash: files of the host. */

void pi_hyperflash_conf_init(struct pi_hyperflash_conf *conf)
{
    conf->id = 0;
}

int32_t pi_flash_open(struct pi_device *device)
{
    (void)device;
    return 0;
}

void pi_flash_close(struct pi_device *device)
{
    (void)device;
}

void pi_readfs_conf_init(struct pi_readfs_conf *conf)
{
    conf->fs.flash = NULL;
}

int32_t pi_fs_mount(struct pi_device *device)
{
    const struct pi_readfs_conf *const conf = device->config;
    return conf->fs.flash == NULL ? -1 : 0;
}

void pi_fs_unmount(struct pi_device *device)
{
    (void)device;
}

pi_fs_file_t *pi_fs_open(struct pi_device *device, const char *file, int flags)
{
    (void)device;
    (void)flags;
    const char *const folder = getenv("HWGEN_STUB_FLASH");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder == NULL ? "." : folder, file);
    FILE *const stream = fopen(path, "rb");
    if (stream == NULL) {
        return NULL;
    }
    pi_fs_file_t *const opened = malloc(sizeof *opened);
    if (opened == NULL || fseek(stream, 0, SEEK_END) != 0) {
        stub_fail("a file in flash cannot be read");
    }
    opened->stream = stream;
    opened->size = (uint32_t)ftell(stream);
    rewind(stream);
    return opened;
}

int32_t pi_fs_read(pi_fs_file_t *file, void *buffer, uint32_t size)
{
    return (int32_t)fread(buffer, 1, size, file->stream);
}

void pi_fs_close(pi_fs_file_t *file)
{
    fclose(file->stream);
    free(file);
}
