import { useRef, useState } from 'preact/hooks'
import type { Frame } from './api-types.ts'
import { FrameDrawer } from './components/frame-drawer.tsx'
import { Shell } from './components/shell.tsx'
import { DevicesPage } from './pages/devices.tsx'
import { LivePage } from './pages/live.tsx'
import { ReviewPage } from './pages/review.tsx'
import { RulesPage } from './pages/rules.tsx'
import { SearchPage } from './pages/search.tsx'
import { SystemPage } from './pages/system.tsx'
import { formatHash, navigate, type Route, useRoute } from './router.ts'
import { RulesContext, useRulesHolder } from './rules-context.ts'
import { TagsContext, useTagsHolder } from './tags-context.ts'

/** The page that the address names, and over it the frame that the address names. */
export function App() {
  const route = useRoute()
  const rules = useRulesHolder()
  const tags = useTagsHolder()
  const [known, setKnown] = useState<Frame>()
  const openedHere = useRef(false)
  const { page, params } = route
  const shown = params.frame

  const openFrame = (frame: Frame) => {
    openedHere.current = true
    setKnown(frame)
    navigate(formatHash(page, { ...params, frame: frame.id }))
  }
  const stepTo = (frame: Frame) => {
    openedHere.current &&= known?.id === shown
    setKnown(frame)
    navigate(formatHash(page, { ...params, frame: frame.id }), { replace: true })
  }
  const closeFrame = () => {
    // Opened from here: the way back is one step. Opened by its address: there is no step back.
    if (openedHere.current && known !== undefined && known.id === shown) history.back()
    else navigate(formatHash(page, { ...params, frame: undefined }), { replace: true })
  }

  return (
    <RulesContext.Provider value={rules}>
      <TagsContext.Provider value={tags}>
        <Shell page={page}>
          <CurrentPage route={route} onOpenFrame={openFrame} />
        </Shell>
        {shown && <FrameDrawer id={shown} known={known} onStep={stepTo} onClose={closeFrame} />}
      </TagsContext.Provider>
    </RulesContext.Provider>
  )
}

function CurrentPage({ route, onOpenFrame }: { route: Route; onOpenFrame: (frame: Frame) => void }) {
  if (route.page === 'live') return <LivePage onOpenFrame={onOpenFrame} />
  if (route.page === 'devices') return <DevicesPage params={route.params} />
  if (route.page === 'rules') return <RulesPage params={route.params} />
  if (route.page === 'review') return <ReviewPage />
  if (route.page === 'system') return <SystemPage />
  return <SearchPage params={route.params} onOpenFrame={onOpenFrame} />
}
