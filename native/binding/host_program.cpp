// Node's functions on Windows are those of the program that this addon is loaded into, whatever it is called: node.exe,
// an Electron app, an application made of one file. The addon is linked as if they were node.exe's, loaded when first
// used; this tells the loader then that node.exe is that program.
#ifdef _WIN32

// windows.h comes first.
#include <windows.h>

#include <delayimp.h>
#include <string.h>

namespace {

FARPROC WINAPI host_program(unsigned event, PDelayLoadInfo load) {
  if (event != dliNotePreLoadLibrary || _stricmp(load->szDll, "node.exe") != 0) return nullptr;
  return reinterpret_cast<FARPROC>(GetModuleHandleA(nullptr));
}

}  // namespace

/// What the delay-load helper asks before it loads a library:
/// learn.microsoft.com/cpp/build/reference/notification-hooks.
extern "C" PfnDliHook __pfnDliNotifyHook2 = host_program;

#endif
