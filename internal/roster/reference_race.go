package roster

import "context"

// Two transactions that don't see each other may miss each other: one remembers a value that nobody answers to, the other
// brings who does, and looks for who waits. So both lock the value before they look: those who arrive beside each other, who
// may remember it alone. Whoever comes second then sees what the first has written. Values are locked before teams, so that
// nobody waits in a circle.

// lockNames locks the values that changes name as members and that nobody answers to, and the externalIds of teams.
func (b *batch) lockNames(ctx context.Context, changes []Change) error {
	if !b.tx.Parallel() {
		return nil
	}
	var values, arriving []string
	for _, c := range changes {
		switch c := c.(type) {
		case TeamCreate:
			values, arriving = append(values, c.Members...), append(arriving, c.ExternalID)
		case TeamEdit:
			values = append(append(values, c.Set...), c.Add...)
			if c.ExternalID != nil {
				arriving = append(arriving, *c.ExternalID)
			}
		}
	}
	unknown, err := b.unknown(ctx, distinct(values))
	if err != nil {
		return err
	}
	return b.lock(ctx, arriving, unknown)
}

func (b *batch) unknown(ctx context.Context, values []string) ([]string, error) {
	if len(values) == 0 {
		return nil, nil
	}
	found, err := b.whom(ctx, values)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range values {
		if _, known := found[v]; !known {
			out = append(out, v)
		}
	}
	return out, nil
}

// lock takes the locks that the batch doesn't have yet.
func (b *batch) lock(ctx context.Context, beside, alone []string) error {
	missing := func(names []string) []string {
		var out []string
		for _, n := range names {
			if n != "" && !b.locked[n] {
				b.locked[n] = true
				out = append(out, n)
			}
		}
		return out
	}
	alone = missing(alone) // first: it is the stronger one
	if beside = missing(beside); len(alone)+len(beside) == 0 {
		return nil
	}
	return b.tx.LockNames(ctx, b.org, beside, alone)
}
