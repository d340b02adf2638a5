package idpsim

import (
	"context"
	"net/http"
	"slices"
)

// pushGroup brings one group and its members to the target.
func (p *Pusher) pushGroup(ctx context.Context, id string, full bool, t *tally) error {
	group, members, wanted := p.groupOf(id)
	j := &job{p: p, t: t, id: id, kind: "Group", path: "/Groups", name: group.DisplayName, rec: p.recordOf(id), full: full}
	switch {
	case j.rec == nil && !wanted:
		return nil
	case !wanted:
		j.name = j.rec.exported["displayName"]
		return j.leave(ctx)
	case j.rec == nil && p.missed(id):
		p.store(id, &record{group: true, exported: asMap(groupAttrs(group)), members: p.targets(members), managed: true})
		j.done(Missed, "")
		return nil
	}
	return j.group(ctx, group, members)
}

// groupOf reads a group that is in scope, and the people in it. The soft-deleted stay: the service sends no removal for
// them and, after a restore, no addition.
func (p *Pusher) groupOf(id string) (group Group, members []string, wanted bool) {
	by := p.t.scoping()
	p.t.view(0, func(d *directory) {
		if !by.group(d, id) {
			return
		}
		group, wanted = *d.groups[id], true
		for _, m := range d.members[id].all() {
			if d.groups[m] == nil {
				members = append(members, m)
			}
		}
	})
	return group, members, wanted
}

// leave deletes a group that left the scope.
func (j *job) leave(ctx context.Context) error {
	j.p.mu.Lock()
	delete(j.p.repair, j.id)
	j.p.mu.Unlock()
	switch {
	case j.p.missed(j.id):
		j.p.store(j.id, nil)
		j.done(Missed, "")
		return nil
	case j.rec.target == "":
		j.p.store(j.id, nil)
		return nil
	}
	return j.remove(ctx)
}

// group makes sure that the group is there, with its attributes, and then sends what changed among its members.
func (j *job) group(ctx context.Context, g Group, members []string) error {
	attrs := groupAttrs(g)
	targets := j.p.targets(members)
	j.noteRepair(members, targets)
	add, remove := j.membership(targets)
	if j.rec != nil {
		same := sameAs(attrs, j.rec.exported) && len(add) == 0 && len(remove) == 0
		if same && !j.full {
			j.done(Unchanged, "")
			return nil
		}
		if !same && j.p.missed(j.id) {
			j.rec.exported, j.rec.members = asMap(attrs), targets
			j.p.store(j.id, j.rec)
			j.done(Missed, "")
			return nil
		}
	}
	outcome, err := j.settleGroup(ctx, attrs)
	if err != nil {
		return j.fail(err)
	}
	add, remove = j.membership(targets) // the group may have been made anew
	if err := j.sendMembers(ctx, targets, add, remove); err != nil {
		return j.fail(err)
	}
	if outcome == Unchanged && len(add)+len(remove) > 0 {
		outcome = Updated
	}
	if outcome == Unchanged {
		j.done(Skipped, "RedundantExport")
	} else {
		j.done(outcome, "")
	}
	return nil
}

// targets maps people to their ids at the SCIM server, as far as they are known.
func (p *Pusher) targets(members []string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]string, len(members))
	for _, m := range members {
		if rec := p.records[m]; rec != nil && rec.target != "" {
			out[m] = rec.target
		}
	}
	return out
}

// noteRepair keeps a group whose members couldn't all be resolved for the next cycle's reference repair.
func (j *job) noteRepair(members []string, targets map[string]string) {
	j.p.mu.Lock()
	defer j.p.mu.Unlock()
	if len(targets) < len(members) {
		j.p.repair[j.id] = true
	} else {
		delete(j.p.repair, j.id)
	}
}

// repairGroups has the groups that hold a person looked at again by the next cycle, after their account was made.
func (p *Pusher) repairGroups(userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.t.view(0, func(d *directory) {
		for _, g := range d.memberOf[userID].all() {
			if p.records[g] != nil {
				p.repair[g] = true
			}
		}
	})
}

// membership compares the members wanted with those sent; a full look sends all of them again.
func (j *job) membership(targets map[string]string) (add, remove []string) {
	var sent map[string]string
	if j.rec != nil {
		sent = j.rec.members
	}
	for _, m := range sortedKeys(targets) {
		if sent[m] != targets[m] || j.full {
			add = append(add, m)
		}
	}
	for _, m := range sortedKeys(sent) {
		if _, ok := targets[m]; !ok {
			remove = append(remove, m)
		}
	}
	return add, remove
}

// settleGroup matches or creates the group, or updates its attributes.
func (j *job) settleGroup(ctx context.Context, attrs []attr) (Outcome, error) {
	if j.rec == nil || j.rec.target == "" {
		return j.matchGroup(ctx, attrs)
	}
	if sameAs(attrs, j.rec.exported) && !j.full {
		return Unchanged, nil
	}
	resource, err := j.p.scim.do(ctx, http.MethodGet, "/Groups/"+j.rec.target+"?excludedAttributes=members", nil)
	if statusOf(err) == http.StatusNotFound {
		j.p.store(j.id, nil)
		return j.matchGroup(ctx, attrs)
	}
	if err != nil {
		return "", err
	}
	return j.patchGroup(ctx, resource, attrs)
}

func (j *job) patchGroup(ctx context.Context, resource object, attrs []attr) (Outcome, error) {
	ops := j.p.differences(resource, attrs)
	if len(ops) > 0 {
		if err := j.p.scim.patch(ctx, "/Groups/"+j.rec.target, ops); err != nil {
			return "", err
		}
	}
	j.rec.exported = asMap(attrs)
	j.p.store(j.id, j.rec)
	if len(ops) > 0 {
		return Updated, nil
	}
	return Unchanged, nil
}

// matchGroup looks for the group by displayName or externalId, and creates it where none is found.
func (j *job) matchGroup(ctx context.Context, attrs []attr) (Outcome, error) {
	by := "displayName"
	if j.p.cfg.Mapping.MatchGroupsByExternalID {
		by = "externalId"
	}
	path := "/Groups?excludedAttributes=members&filter=" + escape(by+" eq "+quote(asMap(attrs)[by]))
	for try := 0; ; try++ {
		found, err := j.p.scim.list(ctx, path)
		switch {
		case err != nil:
			return "", err
		case len(found) > 1:
			return "", &scimError{status: http.StatusOK, detail: "more than one group matches (DuplicateTargetEntries)"}
		case len(found) == 1:
			id, err := idOf(found[0])
			if err != nil {
				return "", err
			}
			j.rec = &record{group: true, target: id, managed: true}
			return j.patchGroup(ctx, found[0], attrs)
		}
		id, err := j.p.scim.create(ctx, "/Groups", groupBody(attrs))
		if statusOf(err) == http.StatusConflict && try == 0 {
			continue
		}
		if err != nil {
			return "", err
		}
		j.rec = &record{group: true, target: id, exported: asMap(attrs), managed: true}
		j.p.store(j.id, j.rec)
		return Created, nil
	}
}

// sendMembers adds and removes in batches, and remembers each batch as it is accepted. A member whose account is gone is
// only forgotten.
func (j *job) sendMembers(ctx context.Context, targets map[string]string, add, remove []string) error {
	sent := make(map[string]string, len(targets))
	for k, v := range j.rec.members {
		sent[k] = v
	}
	commit := func() {
		rec := *j.rec
		rec.members = make(map[string]string, len(sent))
		for k, v := range sent {
			rec.members[k] = v
		}
		j.rec = &rec
		j.p.store(j.id, j.rec)
	}
	path := "/Groups/" + j.rec.target
	for batch := range slices.Chunk(add, j.p.cfg.MemberBatch) {
		var ids []string
		for _, m := range batch {
			ids = append(ids, targets[m])
		}
		if err := j.p.scim.patch(ctx, path, j.p.addMembers(ids)); err != nil {
			return err
		}
		for _, m := range batch {
			sent[m] = targets[m]
		}
		j.t.members(len(batch), 0)
		commit()
	}
	for batch := range slices.Chunk(remove, j.p.cfg.MemberBatch) {
		known := j.p.targets(batch)
		var ids []string
		for _, m := range batch {
			delete(sent, m)
			if id := known[m]; id != "" {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			if err := j.p.scim.patch(ctx, path, j.p.removeMembers(ids)); err != nil {
				return err
			}
		}
		j.t.members(0, len(ids))
		commit()
	}
	return nil
}
