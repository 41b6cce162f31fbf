/** Most tensors that one step joins, cuts or combines (kMaxTerms and kMaxParts of native/cpu). */
export const MAX_TENSORS = 256;
