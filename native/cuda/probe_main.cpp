// cortado_cuda_probe [number]: prints what the CUDA backend beside it finds, of one GPU or of all. A program of its
// own, so that a bad driver can crash nothing else.
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "probe.h"

int main(int count, char** words) {
  const int only = count > 1 ? atoi(words[1]) : -1;
  std::vector<char> json(4096);
  size_t length = cortado_cuda_probe(only, json.data(), json.size());
  if (length >= json.size()) {
    json.resize(length + 4096);
    length = cortado_cuda_probe(only, json.data(), json.size());
  }
  if (length == 0 || length >= json.size()) return 1;
  puts(json.data());
  return 0;
}
