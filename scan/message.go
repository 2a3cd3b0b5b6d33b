package scan

import "github.com/stella-ops/stella/store/event"

// readMessage reads an event about a scan. It returns nil for another type than
// the wanted one, which the caller leaves alone.
func readMessage(body []byte, want event.Type) (*event.Event, *event.Scan, error) {
	e, err := event.Decode(body)
	if err != nil || e.Type != want {
		return nil, nil, err
	}
	s, err := event.DecodeScan(e)
	if err != nil {
		return nil, nil, err
	}
	return e, s, nil
}
