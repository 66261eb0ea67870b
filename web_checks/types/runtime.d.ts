// What the page uses of onnxruntime-web, whose files lie next to it only once it is exported.
declare module "*/ort.wasm.min.mjs" {
  export const env: { wasm: { wasmPaths: string; numThreads: number }; logLevel: string };
  export const Tensor: new (type: "float32", data: Float32Array, shape: number[]) => any;
  export const InferenceSession: {
    create(model: Uint8Array, options: Record<string, unknown>): Promise<any>;
  };
}
