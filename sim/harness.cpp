// A Verilated AXI4-Stream design behind a few C functions: feeds whole data sets, checks the
// protocol and stamps the cycles in which frames start and end. sim/driver.py is the same in
// Python, sim/verilated.py the other side of this interface.
//
// Compiled with IN_BYTES and OUT_BYTES (bytes of the two tdata ports), HWGEN_TRACE (0 or 1), and
// HWGEN_MEMORIES(X): X(number, name, bytes of a request, bytes of a word) for every memory.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vmodel.h"
#include "column_memory.h"
#include "verilated.h"
#if HWGEN_TRACE
#include "verilated_vcd_c.h"
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "beats are copied as little-endian words");

// Field by field the ctypes structures of sim/verilated.py.
struct Config {
    const uint8_t *in;   // frames * in_beats * IN_BYTES
    uint8_t *out;        // frames * out_beats * OUT_BYTES
    int64_t *starts;     // one a frame
    int64_t *ends;       // one a frame
    int64_t frames, in_beats, out_beats;
    int64_t idle_limit, drain, settle;
    int64_t reset_at;    // -1: never
    uint64_t seed;
    int32_t stalls, isolated, slow_memory;
    const char *waves;   // VCD file or null
    MemoryConfig *memories;
    int64_t memory_count;
};

struct Status {
    int64_t cycle, sent, received, idle;
    int32_t fault, done, in_ready, out_valid, patient;
    char message[256];   // of an error inside the model
};

// Pauses of source and sink in eighths of the cycles; does the sink wait for tvalid?
struct Tempo {
    uint64_t source_pause, sink_pause;
    bool patient;
};

// Phases of random stalls, in turn. What finds most comes first, so that short runs meet it too.
const Tempo TEMPOS[] = {
    {0, 4, true},
    {0, 8, false},  // fills the design up
    {0, 4, false},
    {7, 0, false},  // drains it
    {4, 4, false},
    {0, 0, false},
};

struct Phase {
    int64_t index = 0, left = 0, start = 0;
    Tempo tempo = {0, 0, false};
};

class Session {
  public:
    explicit Session(const Config &config)
        : config_(config), model_(&context_), random_(config.seed),
          reset_at_(config.reset_at) {
#if HWGEN_TRACE
        if (config.waves) {
            context_.traceEverOn(true);
            trace_ = std::make_unique<VerilatedVcdC>();
            model_.trace(trace_.get(), 99);
            trace_->open(config.waves);
            if (!trace_->isOpen()) throw std::runtime_error("cannot write the waveform");
        }
#endif
        const bool slow = config.stalls || config.slow_memory;
        for (int64_t k = 0; k < config.memory_count; ++k)
            memories_.emplace_back(config.memories[k], slow, config.seed + 1 + k);
        restart();
    }

    ~Session() {
        model_.final();
#if HWGEN_TRACE
        if (trace_) trace_->close();
#endif
    }

    // Runs until all is done, a fault is found, or `cycles` clock cycles have passed.
    void run(int64_t cycles, Status &status) {
        while (cycles-- > 0 && !done_ && !fault_) cycle();
        status = {cycle_, sent_, received_, idle_, fault_, done_,
                  model_.s_axis_tready, model_.m_axis_tvalid, patient_, ""};
    }

  private:
    void restart() {
        cycle_ = sent_ = received_ = idle_ = 0;
        offering_ = stalled_ = false;
        phase_ = Phase();
        patient_ = false;
        for (ColumnMemory &memory : memories_) memory.reset();
    }

    void cycle() {
        const bool reset = reset_left_ > 0;
        if (!reset && config_.stalls) choose_phase();
        if (!offering_ && !reset) offering_ = may_offer();
        const bool ready = !reset && may_take();

        model_.aresetn = !reset;
        model_.s_axis_tvalid = offering_;
        model_.m_axis_tready = ready;
        if (offering_)
            std::memcpy(&model_.s_axis_tdata, config_.in + sent_ * IN_BYTES, IN_BYTES);
        else
            std::memset(&model_.s_axis_tdata, static_cast<int>(random_() & 0xff), IN_BYTES);
        drive_memories(reset);
        model_.aclk = 0;
        evaluate();
        if (reset) {
            if (--reset_left_ == 0) restart();
        } else {
            observe(ready);
        }
        if (fault_) return;  // the status shall show the ports as they were
        model_.aclk = 1;
        evaluate();
    }

    void observe(bool ready) {
        ++idle_;
        if (offering_ && model_.s_axis_tready) {
            if (sent_ % config_.in_beats == 0) config_.starts[sent_ / config_.in_beats] = cycle_;
            ++sent_;
            offering_ = false;
            idle_ = 0;
        }
        check_output(ready);
        if (!fault_) observe_memories();
        if (fault_) return;
        if (idle_ > config_.idle_limit && (!complete() || asking())) {
            fault_ = complete() ? WORDS_LEFT : HANG;
            return;
        }
        ++cycle_;
        if (cycle_ == reset_at_) {
            reset_at_ = -1;
            reset_left_ = 1;
            offering_ = false;
        } else {
            done_ = complete() && reset_at_ < 0 && idle_ >= config_.drain && !asking();
        }
    }

    void check_output(bool ready) {
        const bool stalled = stalled_;
        stalled_ = false;
        if (!model_.m_axis_tvalid) {
            if (stalled) fault_ = VALID_DROPPED;
            return;
        }
        const bool last = model_.m_axis_tlast;
        const bool want_last = received_ % config_.out_beats == config_.out_beats - 1;
        if (stalled && std::memcmp(held_, &model_.m_axis_tdata, OUT_BYTES) != 0)
            fault_ = DATA_CHANGED;
        else if (stalled && last != held_last_)
            fault_ = LAST_CHANGED;
        else if (received_ == config_.frames * config_.out_beats)
            fault_ = EXTRA_BEAT;
        else if (ready && last != want_last)
            fault_ = LAST_MISPLACED;
        if (fault_) return;
        if (!ready) {
            stalled_ = true;
            std::memcpy(held_, &model_.m_axis_tdata, OUT_BYTES);
            held_last_ = last;
            return;
        }
        std::memcpy(config_.out + received_ * OUT_BYTES, &model_.m_axis_tdata, OUT_BYTES);
        if (want_last) config_.ends[received_ / config_.out_beats] = cycle_;
        ++received_;
        idle_ = 0;
    }

    void drive_memories(bool reset) {
#define DRIVE(number, name, request_bytes, word_bytes)                                            \
    {                                                                                             \
        ColumnMemory &memory = memories_[number];                                                 \
        if (!reset) memory.drive();                                                               \
        model_.m_axis_##name##_columns_tready = !reset && memory.ready();                         \
        model_.s_axis_##name##_weights_tvalid = memory.valid();                                   \
        model_.s_axis_##name##_weights_tlast = memory.last();                                     \
        if (memory.valid())                                                                       \
            std::memcpy(&model_.s_axis_##name##_weights_tdata, memory.data(), word_bytes);        \
        else                                                                                      \
            std::memset(&model_.s_axis_##name##_weights_tdata,                                    \
                        static_cast<int>(memory.noise() & 0xff), word_bytes);                     \
    }
        HWGEN_MEMORIES(DRIVE)
#undef DRIVE
    }

    void observe_memories() {
#define OBSERVE(number, name, request_bytes, word_bytes)                                          \
    if (!fault_) {                                                                                \
        int64_t address = 0;                                                                      \
        std::memcpy(&address, &model_.m_axis_##name##_columns_tdata, request_bytes);              \
        fault_ = memories_[number].observe(model_.m_axis_##name##_columns_tvalid, address,        \
                                           model_.s_axis_##name##_weights_tready);                \
    }
        HWGEN_MEMORIES(OBSERVE)
#undef OBSERVE
    }

    // Words are wanted that have not been taken.
    bool asking() const {
        for (const ColumnMemory &memory : memories_)
            if (memory.busy()) return true;
        return false;
    }

    bool complete() const {
        return sent_ == config_.frames * config_.in_beats &&
               received_ == config_.frames * config_.out_beats;
    }

    bool may_offer() {
        if (sent_ == config_.frames * config_.in_beats) return false;
        if (config_.isolated && sent_ % config_.in_beats == 0 && sent_ > 0) {
            if (received_ < sent_ / config_.in_beats * config_.out_beats) return false;
            if (idle_ < config_.settle) return false;
        }
        return !config_.stalls || random_() % 8 >= phase_.tempo.source_pause;
    }

    bool may_take() {
        if (!config_.stalls) return true;
        if (patient_ && !stalled_) return false;
        return random_() % 8 >= phase_.tempo.sink_pause;
    }

    void choose_phase() {
        // A patient phase lasts until a beat came out: a design that waits for tready hangs in it.
        const bool moved = received_ > phase_.start || complete();
        if (phase_.left > 0 || (patient_ && !moved)) {
            if (phase_.left > 0) --phase_.left;
            return;
        }
        const Tempo &tempo = TEMPOS[phase_.index % (sizeof TEMPOS / sizeof TEMPOS[0])];
        phase_.tempo = tempo;
        patient_ = tempo.patient && !complete();
        ++phase_.index;
        phase_.left = 8 + random_() % (32 + 2 * config_.settle);
        phase_.start = received_;
    }

    void evaluate() {
        model_.eval();
#if HWGEN_TRACE
        if (trace_) trace_->dump(context_.time());
#endif
        context_.timeInc(5000);  // half of a 10 ns period, in ps
    }

    Config config_;
    VerilatedContext context_;
    Vmodel model_;
#if HWGEN_TRACE
    std::unique_ptr<VerilatedVcdC> trace_;
#endif
    Random random_;
    std::vector<ColumnMemory> memories_;
    int64_t reset_at_, reset_left_ = 2;
    int64_t cycle_, sent_, received_, idle_;
    int32_t fault_ = NONE;
    bool done_ = false, offering_, stalled_, patient_, held_last_ = false;
    uint8_t held_[OUT_BYTES];  // the beat that waits at the output
    Phase phase_;
};

// Verilator would end the process; Python wants to go on.
void vl_fatal(const char *, int, const char *, const char *message) {
    throw std::runtime_error(message);
}

extern "C" {

__attribute__((visibility("default"))) void *hwgen_open(const Config *config) {
    try {
        return new Session(*config);
    } catch (const std::exception &) {
        return nullptr;
    }
}

__attribute__((visibility("default"))) int hwgen_run(void *session, int64_t cycles,
                                                     Status *status) {
    try {
        static_cast<Session *>(session)->run(cycles, *status);
        return 0;
    } catch (const std::exception &error) {
        std::snprintf(status->message, sizeof status->message, "%s", error.what());
        return 1;
    }
}

__attribute__((visibility("default"))) void hwgen_close(void *session) {
    delete static_cast<Session *>(session);
}
}
