/**
 * The ONNX wire format: field numbers and types as the ONNX project publishes them in onnx.proto3
 * (Copyright (c) ONNX Project Contributors, SPDX-License-Identifier: Apache-2.0), IR version 3 to 13.
 *
 * A quantiser must hand back what it does not understand. Messages that it never looks into (type information,
 * local functions, training info, sparse tensors, metadata, device placement) are therefore declared as opaque bytes:
 * a nested message and a byte string look the same on the wire, so they survive decoding and encoding untouched,
 * fields of later IR versions inside them included.
 */
const one = (type: string, id: number) => ({ type, id })
const many = (type: string, id: number) => ({ rule: 'repeated', type, id })
const packed = (type: string, id: number) => ({ rule: 'repeated', type, id, options: { packed: true } })

export const ONNX_SCHEMA = {
  nested: {
    StringStringEntryProto: { fields: { key: one('string', 1), value: one('string', 2) } },
    OperatorSetIdProto: { fields: { domain: one('string', 1), version: one('int64', 2) } },
    TensorProto: {
      fields: {
        dims: many('int64', 1),
        dataType: one('int32', 2),
        segment: one('bytes', 3),
        floatData: packed('float', 4),
        int32Data: packed('int32', 5),
        stringData: many('bytes', 6),
        int64Data: packed('int64', 7),
        name: one('string', 8),
        docString: one('string', 12),
        rawData: one('bytes', 9),
        externalData: many('StringStringEntryProto', 13),
        dataLocation: one('int32', 14),
        doubleData: packed('double', 10),
        uint64Data: packed('uint64', 11),
        metadataProps: many('bytes', 16),
      },
    },
    AttributeProto: {
      fields: {
        name: one('string', 1),
        refAttrName: one('string', 21),
        docString: one('string', 13),
        type: one('int32', 20),
        f: one('float', 2),
        i: one('int64', 3),
        s: one('bytes', 4),
        t: one('TensorProto', 5),
        g: one('GraphProto', 6),
        sparseTensor: one('bytes', 22),
        tp: one('bytes', 14),
        floats: many('float', 7),
        ints: many('int64', 8),
        strings: many('bytes', 9),
        tensors: many('TensorProto', 10),
        graphs: many('GraphProto', 11),
        sparseTensors: many('bytes', 23),
        typeProtos: many('bytes', 15),
      },
    },
    NodeProto: {
      fields: {
        input: many('string', 1),
        output: many('string', 2),
        name: one('string', 3),
        opType: one('string', 4),
        domain: one('string', 7),
        overload: one('string', 8),
        attribute: many('AttributeProto', 5),
        docString: one('string', 6),
        metadataProps: many('bytes', 9),
        deviceConfigurations: many('bytes', 10),
      },
    },
    ValueInfoProto: {
      fields: {
        name: one('string', 1),
        type: one('bytes', 2),
        docString: one('string', 3),
        metadataProps: many('bytes', 4),
      },
    },
    GraphProto: {
      fields: {
        node: many('NodeProto', 1),
        name: one('string', 2),
        initializer: many('TensorProto', 5),
        sparseInitializer: many('bytes', 15),
        docString: one('string', 10),
        input: many('ValueInfoProto', 11),
        output: many('ValueInfoProto', 12),
        valueInfo: many('ValueInfoProto', 13),
        quantizationAnnotation: many('bytes', 14),
        metadataProps: many('bytes', 16),
      },
    },
    ModelProto: {
      fields: {
        irVersion: one('int64', 1),
        opsetImport: many('OperatorSetIdProto', 8),
        producerName: one('string', 2),
        producerVersion: one('string', 3),
        domain: one('string', 4),
        modelVersion: one('int64', 5),
        docString: one('string', 6),
        graph: one('GraphProto', 7),
        metadataProps: many('StringStringEntryProto', 14),
        trainingInfo: many('bytes', 20),
        functions: many('bytes', 25),
        configuration: many('bytes', 26),
      },
    },
    // Decoded on demand from ValueInfoProto.type; never written back except for values that the quantiser declares.
    Dimension: { fields: { dimValue: one('int64', 1), dimParam: one('string', 2) } },
    TensorShapeProto: { fields: { dim: many('Dimension', 1) } },
    TensorTypeProto: { fields: { elemType: one('int32', 1), shape: one('TensorShapeProto', 2) } },
    TypeProto: { fields: { tensorType: one('TensorTypeProto', 1) } },
  },
}
