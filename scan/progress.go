package scan

import (
	"fmt"
	"slices"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of progress.
const (
	MaxProgress = 512 // layers; of an image with more the first ones are known
	MaxDiffID   = 255 // bytes
)

// LayerProgress is how far a layer of an image is read.
type LayerProgress struct {
	Layer  int    `json:"layer"`             // index, base first
	DiffID string `json:"diff_id,omitempty"` // as the image names it, where it does
	Bytes  int64  `json:"bytes"`             // stored bytes read so far
	Size   int64  `json:"size"`              // stored bytes; 0 where that is not known
	Done   bool   `json:"done"`
	Cached bool   `json:"cached"` // with Done: it was known and not read
}

// CheckProgress returns the first MaxProgress layers, as a store keeps them. An error
// wraps ErrInvalid.
func CheckProgress(list []LayerProgress) ([]LayerProgress, error) {
	for i := range list {
		if l := &list[i]; l.Layer < 0 || l.Bytes < 0 || l.Size < 0 || len(l.DiffID) > MaxDiffID {
			return nil, fmt.Errorf("progress[%d]: layer %d, %d bytes of %d, a diff_id of %d bytes: want no negative numbers, and at most %d bytes of diff_id: %w",
				i, l.Layer, l.Bytes, l.Size, len(l.DiffID), MaxDiffID, fault.Invalid)
		}
	}
	return list[:min(len(list), MaxProgress)], nil
}

// progress is what a scan has said of itself so far. It is safe for concurrent use.
type progress struct {
	mu     sync.Mutex
	layers []LayerProgress
	fresh  bool // something changed since it was told
}

// follow has the steps of an image's scan noted, and told to another as well, nil for
// nobody.
func (p *progress) follow(m *Image, other func(Progress)) func(Progress) {
	layers := make([]LayerProgress, min(len(m.Layers), MaxProgress))
	for i := range layers {
		b := m.Layers[i]
		layers[i] = LayerProgress{Layer: i, Size: max(b.Descriptor.Size, 0)}
		if len(b.DiffID) <= MaxDiffID {
			layers[i].DiffID = b.DiffID
		}
	}
	p.mu.Lock()
	p.layers, p.fresh = layers, len(layers) > 0
	p.mu.Unlock()
	return func(step Progress) {
		p.step(step)
		if other != nil {
			other(step)
		}
	}
}

func (p *progress) step(step Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if step.Layer < 0 || step.Layer >= len(p.layers) {
		return
	}
	l := &p.layers[step.Layer]
	l.Bytes += max(step.Bytes, 0)
	l.Done, l.Cached = l.Done || step.Done, l.Cached || step.Cached
	p.fresh = true
}

// again has the same told once more: it may not have been heard.
func (p *progress) again() {
	p.mu.Lock()
	p.fresh = len(p.layers) > 0
	p.mu.Unlock()
}

// news returns what is known where it changed since the last call, else nil.
func (p *progress) news() []LayerProgress {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fresh {
		return nil
	}
	p.fresh = false
	return slices.Clone(p.layers)
}
