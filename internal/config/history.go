package config

import (
	"time"

	"github.com/goccy/go-yaml"
)

// History is what is kept of runs that have ended.
type History struct {
	// Runs is for how long a run is kept, Actions for how long its plan is, which is never longer.
	Runs, Actions time.Duration
	// MinRuns is how many of each connection's newest runs are kept whole, whatever their age.
	MinRuns int
}

func defaultHistory() History { return History{Runs: 90 * day, Actions: 30 * day, MinRuns: 20} }

// leastHistory is what the guards look back on, and longer than any held plan is open.
const leastHistory = 7 * day

func (h *History) read(s *section) {
	if s == nil {
		return
	}
	for _, k := range []struct {
		key  string
		into *time.Duration
	}{{"runs", &h.Runs}, {"actions", &h.Actions}} {
		text := formatKeep(*k.into)
		s.checked(k.key, &text, checkKeep)
		d, err := parseKeep(text)
		switch {
		case err != nil:
		case d < leastHistory:
			s.doc.problemf(s.values[k.key].line, "%s %q is too short: the guards look back on what runs did; write 7d or more", k.key, text)
		default:
			*k.into = d
		}
	}
	if _, given := s.get("actions"); h.Actions > h.Runs {
		if given {
			s.doc.problemf(s.values["actions"].line, "actions %q is longer than runs, which is %s: a plan goes with its run", formatKeep(h.Actions), formatKeep(h.Runs))
		}
		h.Actions = h.Runs
	}
	s.number("min_runs", &h.MinRuns, 1, 10_000)
}

func (h *History) redacted() yaml.MapSlice {
	return yaml.MapSlice{
		{Key: "runs", Value: formatKeep(h.Runs)}, {Key: "actions", Value: formatKeep(h.Actions)}, {Key: "min_runs", Value: h.MinRuns},
	}
}
