/**
 * What every rule competes with besides its own negatives: the plain contents of a camera picture. Without them a rule
 * with no negatives would always score 1.
 */
export const NEUTRAL_PROMPTS = [
  'a photo',
  'an empty scene',
  'a landscape',
  'a person',
  'people in a street',
  'a building',
  'an empty room',
  'an object on a table',
  'the sky',
  'trees and grass',
] as const

const COMMON = {
  // Averaging a bare phrase with a sentence steadies a prompt's direction (Radford et al. 2021, 3.1.4).
  templates: ['{}', 'a photo of {}'],
  on: 0.45,
  off: 0.35,
  // Below every match of the embedded model (0.3 and more), and not above one of the larger CLIP models.
  minSimilarity: 0.2,
}

/**
 * Three rules that the embedded model can do, and that the sample frames show. Measured on those frames: whatever should
 * fire scores above 0.55, everything else below 0.3; `on` and `off` lie in between.
 */
export const STARTER_RULES = [
  {
    ...COMMON,
    id: 'cat-in-view',
    name: 'Cat in view',
    category: 'animals/cat',
    severity: 'low',
    positives: ['a cat', 'a cat in an alley', 'a close-up of a cat', 'a cat on a stone floor'],
    negatives: [
      'a dog',
      'a raccoon',
      'a raccoon in a tree',
      'a bird',
      'a teddy bear on a bed',
      'an open book',
    ],
  },
  {
    ...COMMON,
    id: 'boat-on-the-water',
    name: 'Boat on the water',
    category: 'vehicles/boat',
    severity: 'medium',
    positives: [
      'a boat on the water',
      'boats in a harbour',
      'a boat at a jetty',
      'a rowing boat',
      'a wooden rowing boat',
    ],
    negatives: ['a sandy beach', 'a bird flying over the water', 'an airplane', 'a rocket', 'an astronaut'],
  },
  {
    ...COMMON,
    id: 'coffee-or-tea',
    name: 'Coffee or tea',
    category: 'objects/drink',
    severity: 'info',
    positives: [
      'a cup of coffee',
      'coffee in an espresso machine',
      'a cup of tea',
      'a teapot and a cup of tea',
      'a white teapot',
    ],
    negatives: [
      'an open book',
      'a pair of glasses',
      'light bulbs',
      'an animal',
      'an animal near the water',
      'a staircase',
      'a person in a uniform',
    ],
  },
]
