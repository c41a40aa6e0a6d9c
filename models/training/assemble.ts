/**
 * Joins the locked networks and the trained heads into two float32 ONNX towers.
 *
 *   tsx assemble.ts <resnet50.onnx> <MiniLM model.onnx> <head dir> <out dir>
 *
 * image.onnx: `pixel_values` [batch, 3, 224, 224] -> `image_embeds` [batch, 512], unit length
 * text.onnx:  `input_ids`, `attention_mask` int64 [batch, sequence] -> `text_embeds` [batch, 512], unit length
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { onnx } from 'onnx-proto'
import { floatValue, int64Value, OnnxGraph } from './onnx-graph.ts'

/** ConSE softens the classifier before it mixes class embeddings (Norouzi et al. 2014); the head is trained with it. */
const CONSE_TEMPERATURE = 1.5

const [resnetPath, minilmPath, headDir, outDir] = process.argv.slice(2)
const head: { beta: number; shapes: Record<string, number[]> } = JSON.parse(
  readFileSync(join(headDir, 'head.json'), 'utf8'),
)
const dim = head.shapes.class_embeddings[1]
mkdirSync(outDir, { recursive: true })
assembleImage(join(outDir, 'image.onnx'))
assembleText(join(outDir, 'text.onnx'))

function assembleImage(path: string): void {
  const graph = OnnxGraph.read(resnetPath)
  const features = graph.node('Sqrt', ['pooled'], 'features') // as dataset.py takes them
  const aligned = graph.unit(residualHead(graph, features, 'image'), 'head_aligned')
  const inverse = graph.float('conse_inverse_temperature', [], Float32Array.of(1 / CONSE_TEMPERATURE))
  const softened = graph.node('Mul', ['logits', inverse], 'conse_logits')
  const classes = graph.node('Softmax', [softened], 'conse_classes', { axis: 1 })
  const mixed = graph.node('MatMul', [classes, parameter(graph, 'class_embeddings')], 'conse_mixed')
  const gate = graph.node('Sigmoid', [linear(graph, features, 'gate')], 'conse_gate')
  const beta = graph.float('conse_beta', [], Float32Array.of(head.beta))
  const weight = graph.node('Mul', [gate, beta], 'conse_weight')
  const sum = graph.node('Add', [aligned, graph.node('Mul', [mixed, weight], 'conse_term')], 'head_sum')
  graph.unit(sum, 'image_embeds')
  const input = floatValue('pixel_values', ['batch', 3, 224, 224])
  graph.write(path, 'image', [input], [floatValue('image_embeds', ['batch', dim])])
}

function assembleText(path: string): void {
  const graph = OnnxGraph.read(minilmPath)
  dropTokenTypes(graph)
  raiseOpset(graph)
  const states = graph.nodes.at(-1)?.output?.[0] as string
  const mask = graph.node('Cast', ['attention_mask'], 'pool_mask', { to: 1 })
  const axes = graph.int64('pool_axes', [2])
  const masked = graph.node(
    'Mul',
    [states, graph.node('Unsqueeze', [mask, axes], 'pool_weights')],
    'pool_masked',
  )
  const tokens = graph.int64('pool_tokens', [1])
  // Unit length follows, so the sum over tokens does for their mean.
  const sum = graph.node('ReduceSum', [masked, tokens], 'pool_sum', { keepdims: 0 })
  graph.unit(residualHead(graph, graph.unit(sum, 'sentence'), 'text'), 'text_embeds')
  const inputs = ['input_ids', 'attention_mask'].map(name => int64Value(name, ['batch', 'sequence']))
  graph.write(path, 'text', inputs, [floatValue('text_embeds', ['batch', dim])])
}

/** linear(x) + MLP(x) */
function residualHead(graph: OnnxGraph, input: string, tower: string): string {
  const hidden = graph.gelu(linear(graph, input, `${tower}_hidden`), `${tower}_hidden_out`)
  const parts = [linear(graph, input, `${tower}_linear`), linear(graph, hidden, `${tower}_output`)]
  return graph.node('Add', parts, `${tower}_head`)
}

function linear(graph: OnnxGraph, input: string, name: string): string {
  const inputs = [input, parameter(graph, `${name}_weight`), parameter(graph, `${name}_bias`)]
  return graph.node('Gemm', inputs, name)
}

function parameter(graph: OnnxGraph, name: string): string {
  const bytes = new Uint8Array(readFileSync(join(headDir, `${name}.f32`)))
  return graph.float(name, head.shapes[name], new Float32Array(bytes.buffer))
}

/** A sentence is all of segment 0: its row replaces the lookup, and the input `token_type_ids` goes. */
function dropTokenTypes(graph: OnnxGraph): void {
  const lookup = graph.nodes.findIndex(node => node.input?.includes('token_type_ids'))
  const [gather] = graph.nodes.splice(lookup, 1)
  const table = graph.weights.find(({ name }) => name === gather.input?.[0]) as onnx.ITensorProto
  const width = Number(table.dims?.[1])
  table.name = gather.output?.[0]
  table.dims = [width]
  table.rawData = table.rawData?.slice(0, width * 4)
}

/** From opset 13 on, Unsqueeze takes its axes as an input. Nothing else in this graph changed between 11 and 17. */
function raiseOpset(graph: OnnxGraph): void {
  for (const node of graph.nodes.filter(({ opType }) => opType === 'Unsqueeze')) {
    const axes = (node.attribute?.[0].ints ?? []).map(Number)
    node.input?.push(graph.int64(`${node.output?.[0]}_axes`, axes))
    node.attribute = []
  }
}
