#include "fibers.h"

#include <stdio.h>
#include <stdlib.h>

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace cortado::sim {

namespace {

constexpr size_t kStack = size_t{128} << 10;
constexpr unsigned kWarp = 32;

// ---- Switching stacks

#if defined(__x86_64__)
/// Saves the registers that a call must keep, and the stack's place, and goes on where `to` was left.
extern "C" void cortado_sim_switch(void** from, void* to);
asm(R"(
.text
.type cortado_sim_switch,@function
cortado_sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cortado_sim_switch,.-cortado_sim_switch
)");

struct Context {
  void* stack_pointer = nullptr;

  void begin(char* stack, void (*entry)()) {
    auto** top = reinterpret_cast<void**>(stack + kStack);
    *--top = nullptr;  // so that the entry finds the stack as after a call
    *--top = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    stack_pointer = top;
  }
  void leave_for(Context& other) { cortado_sim_switch(&stack_pointer, other.stack_pointer); }
};
#else
struct Context {
  ucontext_t context;

  void begin(char* stack, void (*entry)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStack;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
  }
  void leave_for(Context& other) { swapcontext(&context, &other.context); }
};
#endif

// ---- A block's threads

enum class State { fresh, ready, at_block_barrier, at_warp_barrier, done };

struct Fiber {
  std::unique_ptr<char[]> stack = std::make_unique<char[]>(kStack);
  Context context;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

struct Thread {
  State state = State::fresh;
  Fiber* fiber = nullptr;
  unsigned mask = 0;
  unsigned turn = 0;  // which of the two slots the next exchange uses
};

/// What lanes give each other; two slots by turns, so that one barrier an exchange is enough.
struct Slots {
  uint64_t value[2][kWarp];
};

/// The block that runs. There is one: kernels run one at a time.
class Block {
 public:
  Here here;

  void run(unsigned threads, const std::function<void()>& kernel) {
    kernel_ = &kernel;
    threads_.assign(threads, {});
    slots_.resize((threads + kWarp - 1) / kWarp);
    while (advance()) {
    }
  }

  void block_barrier() { wait(State::at_block_barrier); }

  void warp_barrier(unsigned mask) {
    if (!(mask >> (current_ % kWarp) & 1)) fail("a thread waits for a mask without its own lane");
    threads_[current_].mask = mask;
    wait(State::at_warp_barrier);
  }

  uint64_t exchange(unsigned mask, uint64_t value, unsigned source) {
    if (!(mask >> (source % kWarp) & 1)) fail("a shuffle reads a lane outside its mask");
    const unsigned turn = next_turn();
    slots_[current_ / kWarp].value[turn][current_ % kWarp] = value;
    warp_barrier(mask);
    return slots_[current_ / kWarp].value[turn][source % kWarp];
  }

  unsigned vote(unsigned mask, bool value) {
    const unsigned turn = next_turn();
    slots_[current_ / kWarp].value[turn][current_ % kWarp] = value;
    warp_barrier(mask);
    unsigned votes = 0;
    for (unsigned i = 0; i < kWarp; ++i) {
      if (mask >> i & 1 && slots_[current_ / kWarp].value[turn][i]) votes |= 1u << i;
    }
    return votes;
  }

  unsigned lane() const { return current_ % kWarp; }

 private:
  [[noreturn]] void fail(const char* what) const {
    fprintf(stderr, "cuda-sim: %s (block %u, thread %u)\n", what, here.block_index.x, current_);
    abort();
  }

  unsigned next_turn() {
    Thread& thread = threads_[current_];
    thread.turn ^= 1;
    return thread.turn;
  }

  /// Lets every warp run as far as it can; false when all are done.
  bool advance() {
    const auto count = static_cast<unsigned>(threads_.size()), warps = (count + kWarp - 1) / kWarp;
    bool moved = false;
    for (unsigned i = 0; i < warps; ++i) moved |= advance_warp(order() == Order::forward ? i : warps - 1 - i);
    unsigned done = 0, waiting = 0;
    for (unsigned i = 0; i < count; ++i) {
      done += threads_[i].state == State::done;
      waiting += threads_[i].state == State::at_block_barrier;
      if (threads_[i].state != State::done) current_ = i;
    }
    if (done == count) return false;
    if (done + waiting == count && done > 0) fail("__syncthreads is not reached by every thread");
    if (waiting == count) {
      for (Thread& thread : threads_) thread.state = State::ready;
      return true;
    }
    if (!moved) fail("threads wait for different barriers");
    return true;
  }

  bool advance_warp(unsigned warp) {
    first_ = warp * kWarp;
    end_ = first_ + kWarp < threads_.size() ? first_ + kWarp : static_cast<unsigned>(threads_.size());
    bool moved = false;
    for (bool ran = true; ran;) {
      ran = false;
      for (unsigned k = first_; k < end_; ++k) {
        const unsigned i = order() == Order::forward ? k : first_ + (end_ - 1 - k);
        if (threads_[i].state == State::fresh || threads_[i].state == State::ready) resume(i), ran = true;
      }
      if (ran) release_lanes();
      moved |= ran;
    }
    return moved;
  }

  /// Lanes that wait for the same mask go on when all of it have come.
  void release_lanes() {
    for (unsigned i = first_; i < end_; ++i) {
      if (threads_[i].state != State::at_warp_barrier) continue;
      const unsigned mask = threads_[i].mask;
      bool all = true;
      for (unsigned k = 0; k < kWarp; ++k) {
        if (!(mask >> k & 1)) continue;
        const bool there = first_ + k < end_ && threads_[first_ + k].state != State::done;
        if (!there) current_ = i, fail("a mask names a lane that is not there");
        const Thread& other = threads_[first_ + k];
        all &= other.state == State::at_warp_barrier && other.mask == mask;
      }
      for (unsigned k = 0; all && k < kWarp; ++k) {
        if (mask >> k & 1) threads_[first_ + k].state = State::ready;
      }
    }
  }

  void resume(unsigned i) {
    Fiber* fiber = threads_[i].fiber;
    if (!fiber) {
      if (idle_.empty()) {
        fibers_.push_back(std::make_unique<Fiber>());
        idle_.push_back(fibers_.back().get());
      }
      fiber = idle_.back();
      idle_.pop_back();
      fiber->context.begin(fiber->stack.get(), entry);
      fiber->fake_stack = nullptr;
    }
    choose(i);
    running_ = fiber;
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, fiber->stack.get(), kStack);
#endif
    scheduler_.leave_for(fiber->context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  void choose(unsigned i) {
    current_ = i;
    const dim3& n = here.block_extent;
    here.thread_index = {i % n.x, i / n.x % n.y, i / (n.x * n.y)};
  }

  void wait(State state) {
    Thread& thread = threads_[current_];
    thread.state = state;
    thread.fiber = running_;
    to_scheduler(false);
  }

  void to_scheduler([[maybe_unused]] bool last) {
    Fiber& fiber = *running_;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(last ? nullptr : &fiber.fake_stack, scheduler_stack_, scheduler_size_);
#endif
    fiber.context.leave_for(scheduler_);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fiber.fake_stack, &scheduler_stack_, &scheduler_size_);
#endif
  }

  static void entry();

  /// A fiber's life: the thread that it was started for, then the fresh ones of its warp. Threads that never wait cost
  /// no switch.
  void live() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack_, &scheduler_size_);
#endif
    for (bool more = true; more;) {
      (*kernel_)();
      threads_[current_].state = State::done;
      more = next_fresh();
    }
    idle_.push_back(running_);
    to_scheduler(true);
    abort();  // nobody resumes it
  }

  bool next_fresh() {
    for (unsigned k = first_; k < end_; ++k) {
      const unsigned i = order() == Order::forward ? k : first_ + (end_ - 1 - k);
      if (threads_[i].state == State::fresh) return choose(i), true;
    }
    return false;
  }

  const std::function<void()>* kernel_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<Slots> slots_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* running_ = nullptr;
  Context scheduler_;
  const void* scheduler_stack_ = nullptr;
  size_t scheduler_size_ = 0;
  unsigned current_ = 0, first_ = 0, end_ = 0;
};

Block& block() {
  static Block block;
  return block;
}

void Block::entry() { block().live(); }

}  // namespace

Here& here() { return block().here; }
void block_barrier() { block().block_barrier(); }
void warp_barrier(unsigned mask) { block().warp_barrier(mask); }
uint64_t exchange(unsigned mask, uint64_t value, unsigned source) { return block().exchange(mask, value, source); }
unsigned vote(unsigned mask, bool value) { return block().vote(mask, value); }
unsigned lane() { return block().lane(); }

Order& order() {
  static Order order = [] {
    const char* wish = getenv("CORTADO_SIM_ORDER");
    return wish && std::string_view(wish) == "reverse" ? Order::reverse : Order::forward;
  }();
  return order;
}

void run_grid(dim3 blocks, dim3 threads, const std::function<void()>& kernel) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  Here& at = here();
  at.block_extent = threads;
  at.grid_extent = blocks;
  const unsigned count = blocks.x * blocks.y * blocks.z;
  for (unsigned k = 0; k < count; ++k) {
    const unsigned i = order() == Order::forward ? k : count - 1 - k;
    at.block_index = {i % blocks.x, i / blocks.x % blocks.y, i / (blocks.x * blocks.y)};
    block().run(threads.x * threads.y * threads.z, kernel);
  }
}

}  // namespace cortado::sim
