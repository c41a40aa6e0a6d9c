/**
 * Keras ResNet50 in TensorFlow.js shards -> ONNX with CLIP's image interface.
 *
 *   tsx convert-resnet.ts <package dir> <out.onnx>
 *
 * Input `pixel_values` [batch, 3, 224, 224], RGB, (x/255 - mean) / std with mean = [123.68, 116.779, 103.939] / 255 and
 * std = 1/255. That is Keras' "caffe" preprocessing except for the channel order, and that swap is folded into conv1:
 * the mean maps to 0, so conv1's zero padding keeps its meaning. Outputs `pooled` [batch, 2048] and `logits` [batch, 1000].
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { floatValue, OnnxGraph } from './onnx-graph.ts'

interface Layer {
  class_name: string
  config: { name: string; strides: number[]; padding: string; epsilon: number }
  inbound_nodes: [string, number, number, unknown][][]
}
interface WeightSpec {
  name: string
  shape: number[]
}

const [packageDir, outPath] = process.argv.slice(2)
const modelDir = join(packageDir, 'ResNet50')
const model = JSON.parse(readFileSync(join(modelDir, 'model.json'), 'utf8'))
const weights = readWeights()
const layers: Layer[] = model.modelTopology.model_config.config.layers

const graph = new OnnxGraph()
/** Keras layer name -> the ONNX value that carries its result. */
const tensorOf = new Map<string, string>()
const normAfter = new Map(
  layers.filter(layer => layer.class_name === 'BatchNormalization').map(layer => [inputsOf(layer)[0], layer]),
)

for (const layer of layers) tensorOf.set(layer.config.name, convert(layer))
graph.write(
  outPath,
  'resnet50',
  [floatValue('pixel_values', ['batch', 3, 224, 224])],
  [floatValue('pooled', ['batch', 2048]), floatValue('logits', ['batch', 1000])],
)
console.log(`${outPath}: ${graph.nodes.length} nodes`)

function convert(layer: Layer): string {
  const { name } = layer.config
  const inputs = inputsOf(layer).map(input => tensorOf.get(input) as string)
  switch (layer.class_name) {
    case 'InputLayer':
      return 'pixel_values'
    case 'ZeroPadding2D': // carried by the convolution or pooling that follows
    case 'BatchNormalization': // folded into the convolution before it
      return inputs[0]
    case 'Conv2D':
      return convolution(layer, inputs[0])
    case 'Activation':
      return graph.node('Relu', inputs, name)
    case 'Add':
      return graph.node('Add', inputs, name)
    case 'MaxPooling2D': // follows a ReLU: padding with zero or with -inf is the same
      return graph.node('MaxPool', inputs, name, {
        kernel_shape: [3, 3],
        strides: [2, 2],
        pads: [1, 1, 1, 1],
      })
    case 'GlobalAveragePooling2D':
      return graph.node('Flatten', [graph.node('GlobalAveragePool', inputs, name)], 'pooled', { axis: 1 })
    case 'Dense':
      return dense(name)
    default:
      console.error(`unknown layer type ${layer.class_name} (${name})`)
      process.exit(1)
  }
}

function dense(name: string): string {
  const kernel = weight(`${name}/kernel`)
  const bias = weight(`${name}/bias`)
  const inputs = ['pooled', graph.float(`${name}.weight`, kernel.shape, kernel.values)]
  // Keras ends in a softmax of its own; leaving it out gives logits.
  return graph.node('Gemm', [...inputs, graph.float(`${name}.bias`, bias.shape, bias.values)], 'logits')
}

function convolution(layer: Layer, input: string): string {
  const { name, strides, padding } = layer.config
  const norm = normAfter.get(name) as Layer
  const kernel = weight(`${name}/kernel`)
  const bias = weight(`${name}/bias`).values
  const [gamma, beta, mean, variance] = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map(
    part => weight(`${norm.config.name}/${part}`).values,
  )
  const [height, width, inChannels, outChannels] = kernel.shape
  const swapBgr = input === 'pixel_values'
  const folded = new Float32Array(kernel.values.length)
  const foldedBias = new Float32Array(outChannels)
  let at = 0
  for (let out = 0; out < outChannels; out++) {
    const scale = gamma[out] / Math.sqrt(variance[out] + norm.config.epsilon)
    foldedBias[out] = (bias[out] - mean[out]) * scale + beta[out]
    for (let channel = 0; channel < inChannels; channel++) {
      const source = swapBgr ? inChannels - 1 - channel : channel
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          folded[at++] = kernel.values[((y * width + x) * inChannels + source) * outChannels + out] * scale
        }
    }
  }
  const pad = swapBgr || padding === 'same' ? (height - 1) / 2 : 0
  const parameters = [
    graph.float(`${name}.weight`, [outChannels, inChannels, height, width], folded),
    graph.float(`${name}.bias`, [outChannels], foldedBias),
  ]
  const attributes = { kernel_shape: [height, width], strides, pads: [pad, pad, pad, pad] }
  return graph.node('Conv', [input, ...parameters], name, attributes)
}

function inputsOf(layer: Layer): string[] {
  return (layer.inbound_nodes[0] ?? []).map(([name]) => name)
}

function weight(name: string): { shape: number[]; values: Float32Array } {
  const found = weights.get(name)
  if (found) return found
  console.error(`the package holds no weight ${name}`)
  process.exit(1)
}

function readWeights(): Map<string, { shape: number[]; values: Float32Array }> {
  const groups: { weights: WeightSpec[]; paths: string[] }[] = model.weightsManifest
  const shards = groups.flatMap(group => group.paths).map(path => readFileSync(join(modelDir, path)))
  const bytes = new Uint8Array(Buffer.concat(shards)).buffer
  let offset = 0
  const entries = groups
    .flatMap(group => group.weights)
    .map(({ name, shape }) => {
      const length = shape.reduce((product, size) => product * size, 1)
      const values = new Float32Array(bytes, offset, length)
      offset += length * 4
      return [name, { shape, values }] as const
    })
  return new Map(entries)
}
