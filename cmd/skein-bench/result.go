package main

import (
	"math"
	"slices"
	"time"
)

// result is one line of the table.
type result struct {
	Case      string  `json:"case"`
	Transport string  `json:"transport"`
	Unit      string  `json:"unit"`
	P50       float64 `json:"p50,omitempty"`
	P99       float64 `json:"p99,omitempty"`
	Value     float64 `json:"value,omitempty"`
	Bare      float64 `json:"bare,omitempty"`  // the same with the bare library
	Ratio     float64 `json:"ratio,omitempty"` // ours to bare
	Target    string  `json:"target,omitempty"`
	Met       *bool   `json:"met,omitempty"` // nil: no target, or nothing to compare with
	Note      string  `json:"note,omitempty"`

	more []result // further lines that the same run gave, with case and unit
}

// times runs f n times and gives the percentiles, in the unit.
func times(n int, unit time.Duration, f func() error) (result, error) {
	all := make([]time.Duration, n)
	for i := range all {
		begin := time.Now()
		if err := f(); err != nil {
			return result{}, err
		}
		all[i] = time.Since(begin)
	}
	return percentiles(all, unit), nil
}

func percentiles(all []time.Duration, unit time.Duration) result {
	slices.Sort(all)
	at := func(p float64) float64 { return float64(all[int(math.Ceil(p*float64(len(all)-1)))]) / float64(unit) } // of few, p99 is the worst
	return result{P50: at(0.5), P99: at(0.99)}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

func mean(all []float64) (m float64) {
	for _, v := range all {
		m += v / float64(len(all))
	}
	return m
}
