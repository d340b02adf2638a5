package roster

import "context"

// loadNested reads the groups within a team, once, and only where there are any.
func (b *batch) loadNested(ctx context.Context, t *teamState) error {
	if b.nested[t.now.ID] != nil {
		return nil
	}
	b.nested[t.now.ID] = map[string]bool{}
	if t.now.Nested == 0 || t.was == nil {
		return nil
	}
	ids, err := b.tx.TeamGroups(ctx, b.org, t.now.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		b.nested[t.now.ID][id] = true
	}
	return nil
}

// setNested puts a group into a team, or takes it out, and tells it. It reports whether that changed anything.
func (b *batch) setNested(ctx context.Context, t *teamState, group *Team, present bool) (bool, error) {
	if err := b.loadNested(ctx, t); err != nil || b.nested[t.now.ID][group.ID] == present {
		return false, err
	}
	b.nested[t.now.ID][group.ID] = present
	b.nestings[Nesting{TeamID: t.now.ID, GroupID: group.ID}] = present
	if present {
		t.now.Nested++
	} else {
		t.now.Nested--
	}
	b.grown(t)
	b.tellNesting(t, group, present)
	return true, nil
}

// keepNested takes out of a team the groups that are not among those given.
func (b *batch) keepNested(ctx context.Context, t *teamState, keep []*Team) (bool, error) {
	if err := b.loadNested(ctx, t); err != nil {
		return false, err
	}
	kept := make(map[string]bool, len(keep))
	for _, g := range keep {
		kept[g.ID] = true
	}
	var gone []string
	for id, present := range b.nested[t.now.ID] {
		if present && !kept[id] {
			gone = append(gone, id)
		}
	}
	return b.dropNested(ctx, t, gone)
}

// dropNested takes groups out of a team. One that the cause doesn't see stays.
func (b *batch) dropNested(ctx context.Context, t *teamState, ids []string) (bool, error) {
	if t.now.Nested == 0 || len(ids) == 0 {
		return false, nil
	}
	found, err := b.teamsNamed(ctx, TeamSelect{IDs: distinct(ids)})
	if err != nil {
		return false, err
	}
	moved := false
	for _, id := range distinct(ids) {
		g := found[id]
		if g == nil {
			continue
		}
		did, err := b.setNested(ctx, t, g, false)
		if err != nil {
			return false, err
		}
		moved = moved || did
	}
	return moved, nil
}
