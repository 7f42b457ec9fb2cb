package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// entry is a result, an element of the list in the file of results. What was not
// measured is left out.
type entry struct {
	Name       string             `json:"name"`
	Unit       string             `json:"unit"`
	Ours       float64            `json:"ours"`
	C          float64            `json:"c"`      // 0: there is no side in C
	Ratio      float64            `json:"ratio"`  // above 1: we are faster; the median of the rounds' own
	Spread     float64            `json:"spread"` // of ours, as a part of it
	CSpread    float64            `json:"c_spread"`
	Peers      map[string]float64 `json:"peers,omitempty"` // what others read, by name
	PeersRatio map[string]float64 `json:"peers_ratio,omitempty"`

	// Of a request: objects allocated by ours, and processor time in µs.
	Allocs   *float64           `json:"allocs,omitempty"`
	CPU      *float64           `json:"cpu,omitempty"`
	CCPU     *float64           `json:"c_cpu,omitempty"`
	PeersCPU map[string]float64 `json:"peers_cpu,omitempty"`

	Failures   *float64            `json:"failures,omitempty"`   // requests of ours without an answer
	Histograms map[string][]bucket `json:"histograms,omitempty"` // of what single requests took, by program

	Rounds int       `json:"rounds"`
	Date   time.Time `json:"date"`
	setting
}

// keep merges entries into the file of results: they replace those of their
// names, everything else stays. At no time is the file half written.
func keep(file string, entries []entry) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	merged, err := merge(old, entries)
	if err != nil {
		return fmt.Errorf("%s is not a list of results, move it away: %w", file, err)
	}
	return writeFile(file, merged)
}

// merge returns the text of the results in old, which may be empty, with
// entries in place of those of the same names or behind the others.
func merge(old []byte, entries []entry) ([]byte, error) {
	list := []json.RawMessage{}
	if len(old) > 0 {
		if err := json.Unmarshal(old, &list); err != nil {
			return nil, err
		}
	}
	place := make(map[string]int)
	for i, raw := range list {
		var named struct{ Name string }
		if err := json.Unmarshal(raw, &named); err != nil {
			return nil, err
		}
		place[named.Name] = i
	}
	for _, e := range entries {
		raw, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		if i, ok := place[e.Name]; ok {
			list[i] = raw
			continue
		}
		place[e.Name] = len(list)
		list = append(list, raw)
	}
	text, err := json.MarshalIndent(list, "", "  ")
	return append(text, '\n'), err
}

// writeFile writes a file as a whole or not at all.
func writeFile(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
