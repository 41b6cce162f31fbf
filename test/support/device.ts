/** Whether the tests run on the simulated GPU, which is some hundred times slower than the CPU. */
export const simulated = process.env.CORTADO_DEVICE === 'cuda-sim';
