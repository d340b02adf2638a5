package idpsim

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// Outcome is what a cycle did with one object.
type Outcome string

// The outcomes. Unchanged objects cost no request and have no Detail.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated" // also re-enabled, and members added or removed
	Disabled  Outcome = "disabled"
	Deleted   Outcome = "deleted"
	Skipped   Outcome = "skipped"
	Missed    Outcome = "missed" // lost, though the service believes it sent: see Pusher.Miss and OktaPusher.Miss
	Failed    Outcome = "failed"
	Unchanged Outcome = "unchanged"
)

// Detail is one object that a cycle did something with, or failed to.
type Detail struct {
	ObjectID string
	Type     string // User or Group
	Name     string
	Outcome  Outcome
	Reason   string // of a skip or failure
	Status   int    // the HTTP status of a failure, 0 where there was no answer
}

// Summary is the result of a cycle.
type Summary struct {
	CycleID string
	Number  int
	Initial bool
	// Quarantine is set when the cycle sent nothing, or ended, because of a quarantine.
	Quarantine QuarantineReason

	Created, Updated, Disabled, Deleted, Skipped, Missed, Failed, Unchanged int

	MembersAdded, MembersRemoved int
	Requests                     int
	Details                      []Detail // users first, then groups, each by object id
}

// Of returns the details with an outcome.
func (s Summary) Of(o Outcome) []Detail {
	var out []Detail
	for _, d := range s.Details {
		if d.Outcome == o {
			out = append(out, d)
		}
	}
	return out
}

// tally gathers the summary of a cycle in progress.
type tally struct {
	mu    sync.Mutex
	sum   Summary
	began time.Time
}

func (t *tally) add(d Detail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := map[Outcome]*int{
		Created: &t.sum.Created, Updated: &t.sum.Updated, Disabled: &t.sum.Disabled, Deleted: &t.sum.Deleted,
		Skipped: &t.sum.Skipped, Missed: &t.sum.Missed, Failed: &t.sum.Failed, Unchanged: &t.sum.Unchanged,
	}[d.Outcome]
	*count++
	if d.Outcome != Unchanged {
		t.sum.Details = append(t.sum.Details, d)
	}
}

func (t *tally) members(added, removed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.MembersAdded += added
	t.sum.MembersRemoved += removed
}

func (t *tally) exports() int {
	return t.sum.Created + t.sum.Updated + t.sum.Disabled + t.sum.Deleted
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sortDetails(details []Detail) {
	slices.SortFunc(details, func(a, b Detail) int {
		return cmp.Or(-cmp.Compare(a.Type, b.Type), cmp.Compare(a.ObjectID, b.ObjectID))
	})
}
