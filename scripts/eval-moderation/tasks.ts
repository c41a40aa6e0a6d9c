import type { LabelledPhoto, PhotoSetName } from './photos.ts'

export interface Task {
  readonly id: string
  readonly positives: readonly string[]
  readonly negatives: readonly string[]
  /** Sets whose photos are judged. */
  readonly sets: readonly PhotoSetName[]
  /** undefined: nobody can tell from the labels, the photo is left out. */
  readonly shows: (photo: LabelledPhoto) => boolean | undefined
}

const CAPTIONED: readonly PhotoSetName[] = ['coco_val', 'flickr8k']

/**
 * Rules as somebody would write them, and who is right. Fire and masks have the phrases of models/training/zero-shot.json
 * and thresholds are nobody's choice here: every rule keeps the default.
 */
export const TASKS: readonly Task[] = [
  {
    id: 'fire',
    positives: ['a fire with flames', 'fire burning', 'a building on fire', 'a wildfire in a forest'],
    negatives: [
      'an outdoor scene without fire',
      'a calm landscape',
      'a nature scene',
      'a photo of trees and water',
    ],
    sets: ['fire', 'intel_scenes', ...CAPTIONED],
    shows: photo => labelled(photo, 'fire', 'fire') ?? mentions(photo, /\bfires?\b|flame|burn|torch|smok/),
  },
  {
    id: 'face-mask',
    positives: [
      'a person wearing a face mask',
      'a man wearing a medical mask',
      'a woman with a surgical mask on her face',
    ],
    negatives: ["a close-up photo of a person's face", 'a face of a person', 'a portrait of a person'],
    sets: ['masks', ...CAPTIONED],
    shows: photo => labelled(photo, 'masks', 'with_mask') ?? mentions(photo, /\bmask/),
  },
  scene('forest', ['trees in a forest', 'a forest'], ['a city', 'a mountain', 'the sea']),
  scene('sea', ['the sea', 'waves in the ocean'], ['a city', 'a snowy mountain', 'a forest']),
  scene(
    'street',
    ['a street in a city', 'a road between houses'],
    ['a building', 'a landscape', 'the sea', 'a forest'],
  ),
  captioned(
    'dog',
    ['a dog', 'a dog running', 'two dogs playing'],
    ['a cat', 'a child playing', 'people in a park'],
    /\bdogs?\b|\bpupp|\b(terrier|poodle|retriever|greyhound|collie)s?\b/,
  ),
  captioned(
    'bicycle-or-motorcycle',
    ['a person riding a bicycle', 'a motorcycle', 'a biker'],
    ['a car', 'a person walking', 'a skateboarder'],
    /\bbikes?\b|bicycl|cyclist|\bbikers?\b|\bbiking|motorcycl|motorbike|\bbmx\b/,
  ),
  captioned(
    'snow',
    ['snow', 'a snowy landscape', 'a person in the snow'],
    ['a beach', 'a green meadow', 'people in a street'],
    /snow|\bski(s|er|ers|ing)?\b/,
  ),
  captioned(
    'boat',
    ['a boat on the water', 'a canoe', 'boats in a harbour'],
    ['a beach', 'a person swimming', 'a surfer on a wave'],
    /\b(boat|canoe|kayak|ship|raft|sailboat|rowboat)s?\b|kayak|canoe/,
  ),
  captioned(
    'child',
    ['a child', 'a little girl', 'a boy playing'],
    ['a man', 'a woman', 'a dog'],
    /\bchild|\bkids?\b|\bboys?\b|\bgirls?\b|toddler|\bbab(y|ies)\b|infant/,
  ),
]

function scene(label: string, positives: readonly string[], negatives: readonly string[]): Task {
  return {
    id: label,
    positives,
    negatives,
    sets: ['intel_scenes'],
    shows: photo => labelled(photo, 'intel_scenes', label),
  }
}

function captioned(
  id: string,
  positives: readonly string[],
  negatives: readonly string[],
  words: RegExp,
): Task {
  return { id, positives, negatives, sets: CAPTIONED, shows: photo => mentions(photo, words) }
}

function labelled({ set, label }: LabelledPhoto, of: PhotoSetName, positive: string): boolean | undefined {
  return set === of ? label === positive : undefined
}

/** Two captions of five or more: it shows it. None: it does not. One: somebody saw something. */
function mentions({ set, captions }: LabelledPhoto, words: RegExp): boolean | undefined {
  if (set === 'intel_scenes') return false
  const count = captions.filter(caption => words.test(caption.toLowerCase())).length
  return count === 1 ? undefined : count > 1
}
