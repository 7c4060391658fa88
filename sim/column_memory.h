// The memory beside a design with streamed weights: what answers its requests, one call a clock
// cycle. sim/memory.py is the same in Python, and says what it does.

#ifndef COLUMN_MEMORY_H
#define COLUMN_MEMORY_H

#include <cstdint>
#include <deque>

// The numbers of sim/faults.py.
enum Fault : int32_t {
    NONE = 0,
    HANG = 1,
    VALID_DROPPED = 2,
    DATA_CHANGED = 3,
    LAST_CHANGED = 4,
    LAST_MISPLACED = 5,
    EXTRA_BEAT = 6,
    REQUEST_DROPPED = 8,
    REQUEST_CHANGED = 9,
    REQUEST_WRONG = 10,
    TOO_MANY_REQUESTS = 11,
    WORDS_LEFT = 12,
};

// Field by field the ctypes structure of sim/verilated.py.
struct MemoryConfig {
    const uint8_t *image;  // depth * word_bytes
    int64_t depth, words, word_bytes, ahead, latency;
    int64_t requests;      // the result
};

// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016.
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}

    uint64_t operator()() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return (state_ * 0x2545F4914F6CDD1DULL) >> 32;
    }

  private:
    uint64_t state_;
};

class ColumnMemory {
  public:
    ColumnMemory(MemoryConfig &config, bool slow, uint64_t seed)
        : config_(config), slow_(slow), random_(seed) {
        reset();
    }

    void reset() {
        open_.clear();
        config_.requests = cycle_ = word_ = seen_ = 0;
        offering_ = ready_ = waited_ = false;
        pace_ = PACES[0];
    }

    bool busy() const { return !open_.empty(); }

    // Decides what the design is given in this cycle.
    void drive() {
        ready_ = !slow_ || (waited_ && may(pace_.request_pause));
        if (!offering_ && busy() && cycle_ >= open_.front().due)
            offering_ = !slow_ || may(pace_.word_pause);
    }

    bool ready() const { return ready_; }
    bool valid() const { return offering_; }
    bool last() const { return offering_ == (word_ == config_.words - 1); }
    const uint8_t *data() const {
        return config_.image + (open_.front().address + word_) * config_.word_bytes;
    }
    uint64_t noise() { return random_(); }

    // Checks and counts one cycle.
    Fault observe(bool valid, int64_t address, bool taken) {
        if (offering_ && taken) {
            offering_ = false;
            if (++word_ == config_.words) {
                word_ = 0;
                open_.pop_front();
            }
        }
        const bool waited = waited_;
        waited_ = false;
        if (waited && !valid) return REQUEST_DROPPED;
        if (valid) {
            if (waited && address != seen_) return REQUEST_CHANGED;
            if (address >= config_.depth || address % config_.words) return REQUEST_WRONG;
            if (ready_) {
                take(address);
            } else {
                waited_ = true;
                seen_ = address;
            }
        }
        ++cycle_;
        return static_cast<int64_t>(open_.size()) > config_.ahead ? TOO_MANY_REQUESTS : NONE;
    }

  private:
    struct Request {
        int64_t due, address;
    };

    // Pauses in eighths of the cycles, and by how many cycles at most an answer is late.
    struct Pace {
        uint64_t request_pause, word_pause, late;
    };

    static constexpr Pace PACES[] = {{0, 0, 1}, {4, 4, 4}, {0, 6, 1}, {6, 0, 16}};

    void take(int64_t address) {
        ++config_.requests;
        int64_t due = cycle_ + config_.latency;
        if (slow_) {
            pace_ = PACES[random_() % (sizeof PACES / sizeof PACES[0])];
            due += static_cast<int64_t>(random_() % pace_.late);
        }
        open_.push_back({due, address});
    }

    bool may(uint64_t pause) { return random_() % 8 >= pause; }

    MemoryConfig &config_;
    bool slow_;
    Random random_;
    std::deque<Request> open_;
    int64_t cycle_, word_, seen_;
    bool offering_, ready_, waited_;
    Pace pace_;
};

#endif
