# Stands where node-gyp expects Node's own headers (its "nodedir"). The addon needs only the Node-API headers, which come
# from the node-api-headers package, so nothing has to be downloaded.
{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {'Release': {}, 'Debug': {}},
    'conditions': [
      ['OS!="win"', {'cflags': ['-fPIC', '-pthread'], 'ldflags': ['-pthread']}],
      ['OS=="mac"', {'xcode_settings': {'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES'}}],
    ],
  },
}
