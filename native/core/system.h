// What each operating system tells and gives in its own way.
#pragma once

#include <stddef.h>

#include <string>

namespace cortado {

/// Bytes that this process can still get: of the machine and of its control group, whichever is less. SIZE_MAX where
/// the system does not tell.
size_t available_memory();

/// Whole pages, large ones for a large block where the system has some: they spare the convolutions their TLB misses.
/// Null when the system refuses them.
void* take_pages(size_t bytes);
void give_back(void* pages);

/// A variable of the environment as this process has it now, what it has set itself included; empty where it is not
/// set.
std::string variable(const char* name);

/// Cores, not hyper-threads, that this process may use.
int physical_cores();

}  // namespace cortado
