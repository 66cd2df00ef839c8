package vod

import "sort"

// maxPlaces bounds what is kept of where keyframes are.
const maxPlaces = 4096

// A place is where a keyframe stands in a file.
type place struct {
	ms uint32
	at int64
}

// Places are keyframes in the order of their timestamps, thinned out if they are many.
type places struct {
	list []place
	gap  uint32 // ms between two of them at least
}

// add appends a place. One that is not behind the last is left out.
func (p *places) add(ms uint32, at int64) {
	if n := len(p.list); n > 0 {
		last := p.list[n-1]
		if at <= last.at || ms <= last.ms || ms-last.ms < p.gap {
			return
		}
		if n == maxPlaces {
			p.gap = max(2*p.gap, (last.ms-p.list[0].ms)/(maxPlaces/2), 1)
			kept := p.list[:1]
			for _, k := range p.list[1:] {
				if k.ms-kept[len(kept)-1].ms >= p.gap {
					kept = append(kept, k)
				}
			}
			p.list = kept
			if ms-kept[len(kept)-1].ms < p.gap {
				return
			}
			if len(p.list) == maxPlaces {
				return
			}
		}
	}
	p.list = append(p.list, place{ms, at})
}

// before is the last place that is not behind ms.
func (p *places) before(ms uint32) (place, bool) {
	i := sort.Search(len(p.list), func(i int) bool { return p.list[i].ms > ms })
	if i == 0 {
		return place{}, false
	}
	return p.list[i-1], true
}
