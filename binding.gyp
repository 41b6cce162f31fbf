# Builds cortado.node: the core, the CPU kernels (once per instruction set) and the Node-API binding. Everything an
# installation without a GPU needs; the CUDA backend is CMakeLists.txt's job. Sources are found by folder.
{
  'variables': {
    # 'address,undefined' or 'thread' for a sanitized build, which `cortado build` makes in a folder of its own.
    'sanitize': '<!(node -p "process.env.CORTADO_SANITIZE || \'none\'")',
    # Warnings are errors where the project is worked on, not where a compiler newer than it builds it.
    'strict': '<!(node -p "process.env.CI || process.env.CORTADO_WERROR ? 1 : 0")',
  },
  'target_defaults': {
    'cflags!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': [
      '-std=c++20', '-O3', '-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast',
      '-fexceptions', '-fvisibility=hidden', '-fvisibility-inlines-hidden',
      '-Wall', '-Wextra', '-Wpedantic',
    ],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
      'CLANG_CXX_LIBRARY': 'libc++',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '13.3',
      'OTHER_CPLUSPLUSFLAGS': ['-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast'],
      'WARNING_CFLAGS': ['-Wall', '-Wextra', '-Wpedantic'],
    },
    'conditions': [
      ['strict==1 and sanitize=="none"', {'cflags_cc': ['-Werror']}],
      ['sanitize!="none"', {
        # Half the optimization compiles three times as fast. What addresses point to is AddressSanitizer's to judge, at
        # a fifth less time: null ends a process there, too.
        'cflags_cc': [
          '-O1', '-fsanitize=<(sanitize)', '-fno-sanitize=null,object-size,vptr', '-fno-sanitize-recover=all',
          '-fno-omit-frame-pointer', '-g1',
        ],
        'ldflags': ['-fsanitize=<(sanitize)'],
      }],
    ],
  },
  'targets': [
    {
      'target_name': 'cortado',
      'sources': ['<!@(node -p "[\'core\', \'kernels\', \'cpu\', \'binding\'].flatMap((folder) => { try { return fs.readdirSync(\'native/\' + folder).filter((file) => file.endsWith(\'.cpp\')).map((file) => [\'native\', folder, file].join(\'/\')) } catch { return [] } }).join(\' \')")'],
      'include_dirs': [
        '<!(node -p "require(\'node-api-headers\').include_dir")',
        '<!(node -p "require(\'node-addon-api\').include_dir")',
      ],
      'defines': ['NAPI_VERSION=9', 'NODE_ADDON_API_CPP_EXCEPTIONS', 'NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS',
        # A worker that is terminated in the middle of a call cannot be thrown at.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'conditions': [
        ['sanitize=="none"', {'sources': ['native/cpu/isa/portable.cpp', 'native/cpu/isa/portable_products.cpp']}],
        ['target_arch=="x64" and sanitize=="none"', {'dependencies': ['isa_avx512bf16', 'isa_avx512', 'isa_avx2']}],
        ['target_arch=="arm64" and sanitize=="none"', {'sources': ['native/cpu/isa/neon.cpp', 'native/cpu/isa/neon_products.cpp']}],
        ['OS=="linux"', {'ldflags': ['-Wl,--gc-sections', '-Wl,--exclude-libs,ALL'], 'libraries': ['-ldl']}],
        ['OS=="linux" and sanitize=="none"', {'ldflags': ['-Wl,-s']}],
        ['sanitize!="none"', {
          'dependencies': ['isa_own'], 'sources': ['test/addon/planted_fault.cpp'], 'defines': ['CORTADO_OWN_ISA'],
        }],
      ],
    },
  ],
  'conditions': [
    ['target_arch=="x64" and sanitize=="none"', {
      'targets': [
        {
          'target_name': 'isa_avx512bf16',
          'type': 'static_library',
          'sources': ['native/cpu/isa/avx512bf16_products.cpp'],
          'cflags_cc': [
            '-mavx512f', '-mavx512vl', '-mavx512dq', '-mavx512bw', '-mfma', '-mavx512bf16', '-mavx512vnni',
          ],
          'xcode_settings': {
            'OTHER_CPLUSPLUSFLAGS': [
              '-mavx512f', '-mavx512vl', '-mavx512dq', '-mavx512bw', '-mfma', '-mavx512bf16', '-mavx512vnni',
            ],
          },
        },
        {
          'target_name': 'isa_avx512',
          'type': 'static_library',
          'sources': ['native/cpu/isa/avx512.cpp', 'native/cpu/isa/avx512_products.cpp'],
          'cflags_cc': ['-mavx512f', '-mavx512vl', '-mavx512dq', '-mavx512bw', '-mfma'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['-mavx512f', '-mavx512vl', '-mavx512dq', '-mavx512bw', '-mfma']},
        },
        {
          'target_name': 'isa_avx2',
          'type': 'static_library',
          'sources': ['native/cpu/isa/avx2.cpp', 'native/cpu/isa/avx2_products.cpp'],
          'cflags_cc': ['-mavx2', '-mfma'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['-mavx2', '-mfma']},
        },
      ],
    }],
    # Sanitized, the kernels are compiled once, for the machine that runs the tests.
    ['sanitize!="none"', {
      'targets': [
        {
          'target_name': 'isa_own',
          'type': 'static_library',
          'sources': ['native/cpu/isa/own.cpp', 'native/cpu/isa/own_products.cpp'],
          # Kernels are plain data that keeps no reference to a scope; watching over scopes is a fifth of their compile time.
          'cflags_cc': ['-march=native', '-fno-sanitize-address-use-after-scope'],
        },
      ],
    }],
  ],
}
