// The verilated cores (core.sv) on the machine of machine.h, behind the functions of engine.h.
// One compiled model, an object a core. sim/riscv/rtl.py builds it, engine.py loads it.

#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <vector>

#include "engine.h"
#include "machine.h"

#include "Vcore.h"
#include "verilated.h"

namespace {

// Cycles from reset in which a core must have begun its first instruction.
constexpr int BOOT_CYCLES = 100;

struct Core {
    std::unique_ptr<Vcore> model;
    uint32_t read = 0;      // the word that the access granted last has read
    bool answered = false;  // it was granted in the cycle before
    uint64_t issued = 0;    // instructions that have entered EX
};

class Session {
  public:
    explicit Session(const MachineConfig &config) {
        if (!machine_open(&machine_, &config)) throw std::bad_alloc();
        for (uint32_t k = 0; k < config.cores; ++k) {
            Core core;
            core.model = std::make_unique<Vcore>(&context_);
            core.model->boot_addr_i = MACHINE_START;
            core.model->hart_id_i = k;
            cores_.push_back(std::move(core));
        }
    }

    ~Session() {
        for (Core &core : cores_) core.model->final();
        machine_close(&machine_);
    }

    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    bool load(uint32_t address, const uint8_t *bytes, uint32_t size) {
        return machine_load(&machine_, address, bytes, size) != 0;
    }

    const MachineStatus &run(uint64_t cycles) {
        try {
            if (!booted_) boot();
            while (cycles-- > 0 && machine_.status.state == STATE_RUNNING) cycle();
        } catch (const std::exception &error) {  // of vl_fatal
            machine_stop(&machine_, 0, "the verilated model failed: %s", error.what());
        }
        return machine_.status;
    }

  private:
    // Resets the cores and lets them fetch. Cycle 0 is the one in which the first instructions are
    // in EX; all cores get there together.
    void boot() {
        booted_ = true;
        for (Core &core : cores_) {
            core.model->rst_ni = 1;
            core.model->eval();
            core.model->rst_ni = 0;
            tick(core, false);
            core.model->rst_ni = 1;
            int left = BOOT_CYCLES;
            do {
                if (left-- == 0 || core.model->data_req_o)
                    throw std::runtime_error("the core does not start");
                tick(core, false);
            } while (!core.model->issued_o && !core.model->trap_o);
            observe(core);
        }
        for (uint32_t k = 0; k < cores_.size(); ++k) report_exception(k);
    }

    void cycle() {
        for (uint32_t k = 0; k < cores_.size(); ++k) {
            const Vcore &model = *cores_[k].model;
            machine_.status.instructions[k] = cores_[k].issued - (model.data_req_o ? 1 : 0);
            machine_.status.pcs[k] = model.pc_ex_o;
            if (model.data_req_o)
                machine_request(&machine_, k, model.data_addr_o, model.data_we_o, model.data_be_o,
                                model.data_wdata_o);
        }
        machine_cycle(&machine_);
        if (machine_.status.state != STATE_RUNNING) {
            finish();
            return;
        }
        for (uint32_t k = 0; k < cores_.size(); ++k) {
            Core &core = cores_[k];
            const MachinePort &port = machine_.ports[k];
            const bool granted = core.model->data_req_o && port.granted;
            tick(core, granted);
            core.answered = granted;
            core.read = port.data;
            observe(core);
            report_exception(k);
        }
    }

    // The last cycle of a run: a load or store that got its last grant in it has been executed.
    void finish() {
        for (uint32_t k = 0; k < cores_.size(); ++k) {
            const Vcore &model = *cores_[k].model;
            if (model.data_req_o && machine_.ports[k].granted && !model.split_o)
                machine_.status.instructions[k] = cores_[k].issued;
        }
        if (machine_.status.state == STATE_STOPPED) describe();
    }

    // One period of a core's clock. The word that it fetches and the answer to its last access are
    // there before the edge.
    void tick(Core &core, bool granted) {
        Vcore &model = *core.model;
        model.fetch_data_i = machine_fetch(&machine_, model.fetch_addr_o);
        model.data_gnt_i = granted;
        model.data_rvalid_i = core.answered;
        model.data_rdata_i = core.read;
        model.clk_i = 0;
        model.eval();
        model.clk_i = 1;
        model.eval();
    }

    static void observe(Core &core) { core.issued += core.model->issued_o; }

    // Ends the run if an exception was taken or the core went to sleep.
    void report_exception(uint32_t k) {
        const Vcore &model = *cores_[k].model;
        if (machine_.status.state != STATE_RUNNING || (!model.trap_o && !model.sleep_o)) return;
        const uint32_t pc = model.trap_o ? model.mepc_o : model.pc_ex_o;
        machine_.status.pcs[k] = pc;
        if (!machine_memory(&machine_, pc, 2, 0))
            machine_stop(&machine_, k, "jump to 0x%08x outside memory", static_cast<unsigned>(pc));
        else if (model.sleep_o)
            machine_stop(&machine_, k, "wfi: no interrupt would ever wake the core");
        else
            machine_stop(&machine_, k, "%s", cause(model.cause_o));
        describe();
        const uint32_t word = machine_.status.instruction;
        if (model.trap_o && model.cause_o == 2 && (word & 0x7f) == 0x73 && (word & 0x7000))
            std::snprintf(machine_.status.message, sizeof machine_.status.message,
                          "illegal access to control register 0x%03x",
                          static_cast<unsigned>(word >> 20));
    }

    // Privileged Architecture, mcause.
    static const char *cause(uint32_t code) {
        switch (code) {
        case 2: return "illegal instruction";
        case 3: return "breakpoint";
        case 11: return "environment call";
        default: return "exception";
        }
    }

    // Adds the word of the instruction at which the run stopped.
    void describe() {
        MachineStatus &status = machine_.status;
        const uint32_t pc = status.pc;
        const uint32_t low = machine_fetch(&machine_, pc), high = machine_fetch(&machine_, pc + 2);
        status.instruction = pc & 2 ? low >> 16 | high << 16 : low;
        if ((status.instruction & 3) != 3) status.instruction &= 0xffff;
    }

    Machine machine_;
    VerilatedContext context_;
    std::vector<Core> cores_;
    bool booted_ = false;
};

}  // namespace

// Verilator would end the process; Python wants to go on.
void vl_fatal(const char *, int, const char *, const char *message) {
    throw std::runtime_error(message);
}

extern "C" {

void *hwgen_open(const MachineConfig *config) {
    try {
        return new Session(*config);
    } catch (const std::exception &) {
        return nullptr;
    }
}

int hwgen_load(void *session, uint32_t address, const uint8_t *bytes, uint32_t size) {
    return static_cast<Session *>(session)->load(address, bytes, size);
}

const MachineStatus *hwgen_run(void *session, uint64_t cycles) {
    return &static_cast<Session *>(session)->run(cycles);
}

void hwgen_close(void *session) { delete static_cast<Session *>(session); }
}
