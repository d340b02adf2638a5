package roster

import (
	"context"
	"fmt"
	"slices"
)

// changeConnection keeps what is stored of connections in line with the configuration and with what the operator says.
func (b *batch) changeConnection(ctx context.Context, c Change) (Outcome, error) {
	switch c := c.(type) {
	case ConnectionSync:
		out := b.syncConnection(c)
		changed, err := b.syncSchedules(ctx, out.Connection, c.Schedules)
		if changed && out.Result == Unchanged {
			out.Result = Applied
		}
		return out, err
	case ConnectionDetach:
		conn := b.connections[c.ID]
		if conn == nil || (conn.State == ConnectionDetached && conn.Target == "") {
			return Outcome{Result: Unchanged, ID: c.ID}, nil
		}
		conn.Target = "" // it has no entry any more
		b.detach(conn, c.Reason)
		return Outcome{Result: Applied, ID: c.ID, Connection: conn}, nil
	case ConnectionRebind:
		return b.rebind(c), nil
	case ConnectionRename:
		return b.renameConnection(ctx, c)
	case ConnectionRelease:
		return b.release(ctx, c)
	}
	return Outcome{}, Errorf(Internal, "unknown change %T", c)
}

func (b *batch) connectionNamed(name string) *Connection {
	for _, c := range b.connections {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func connectionDoc(c *Connection) map[string]any {
	doc := map[string]any{
		"name": c.Name, "kind": string(c.Kind), "state": string(c.State), "target": c.Target, "pinned": c.Pinned,
		"detached_reason": c.DetachedReason,
	}
	if c.Pause != nil {
		doc["paused"] = c.Pause.String()
	}
	return doc
}

func (b *batch) putConnection(c *Connection, event, reason string, before map[string]any) {
	c.UpdatedAt = b.tx.Now()
	b.rows.Connections = append(b.rows.Connections, *c)
	if event != "" {
		b.tell(Subject{Type: "connection", ID: c.ID, Name: c.Name}, event, reason, before, connectionDoc(c))
	}
}

func (b *batch) detach(c *Connection, reason string) {
	before := connectionDoc(c)
	c.State, c.DetachedReason = ConnectionDetached, reason
	b.putConnection(c, "connection.detached", reason, before)
}

// syncConnection brings one entry of the file in. A target other than the pinned one detaches the connection until it is
// rebound; an entry with the target of a detached connection waits until that one is renamed or released.
func (b *batch) syncConnection(s ConnectionSync) Outcome {
	c := b.connectionNamed(s.Name)
	if c == nil {
		c = &Connection{ID: NewID(), Org: b.org, Name: s.Name, State: ConnectionOK, CreatedAt: b.tx.Now()}
		b.connections[c.ID] = c
		b.fill(c, s)
		if other := b.detachedWith(s.Target, c.ID); other != nil {
			c.State = ConnectionDetached
			c.DetachedReason = sameTargetReason(other.Name, c.Name)
		}
		b.putConnection(c, "connection.created", "declared in the configuration", nil)
		return Outcome{Result: Applied, ID: c.ID, Created: true, Connection: c}
	}
	before, was := connectionDoc(c), *c
	if c.Settings != s.Settings {
		c.Settled = false
	}
	b.fill(c, s)
	switch other := b.detachedWith(s.Target, c.ID); {
	case c.Pinned != "" && c.Pinned != c.Target:
		c.State = ConnectionDetached
		c.DetachedReason = fmt.Sprintf("its target changed from %s to %s: `rosterd connection rebind %s` accepts the new one", c.Pinned, c.Target, c.Name)
	case other != nil && c.Pinned == "":
		c.State, c.DetachedReason = ConnectionDetached, sameTargetReason(other.Name, c.Name)
	default:
		c.State, c.DetachedReason = ConnectionOK, ""
	}
	if c.State == was.State && c.Target == was.Target && c.DetachedReason == was.DetachedReason && c.Kind == was.Kind &&
		c.Settings == was.Settings && c.AdoptLocal == was.AdoptLocal && c.Settle == was.Settle && slices.Equal(c.Managed, was.Managed) {
		return Outcome{Result: Unchanged, ID: c.ID, Connection: c}
	}
	event := ""
	switch {
	case c.State == ConnectionDetached && was.State != ConnectionDetached:
		event = "connection.detached"
	case c.State == ConnectionOK && was.State == ConnectionDetached:
		event = "connection.attached"
	}
	b.putConnection(c, event, c.DetachedReason, before)
	return Outcome{Result: Applied, ID: c.ID, Connection: c}
}

func sameTargetReason(other, name string) string {
	return fmt.Sprintf("the detached connection %s has the same target: `rosterd connection rename %s %s` hands over its "+
		"objects, `rosterd connection release %s` gives them up", other, other, name, other)
}

func (b *batch) fill(c *Connection, s ConnectionSync) {
	c.Kind, c.Target, c.Settings, c.Managed = s.Kind, s.Target, s.Settings, s.Managed
	c.AdoptLocal, c.Settle = s.AdoptLocal, s.Settle
}

// detachedWith returns another, detached connection that is pinned to a target.
func (b *batch) detachedWith(target, except string) *Connection {
	for id, c := range b.connections {
		if id != except && target != "" && c.State == ConnectionDetached && c.Pinned == target {
			return c
		}
	}
	return nil
}

func (b *batch) rebind(r ConnectionRebind) Outcome {
	c := b.connections[r.ID]
	switch {
	case c == nil:
		return Outcome{Result: Refused, Err: Errorf(NotFound, "no such connection")}
	case c.State != ConnectionDetached:
		return Outcome{Result: Refused, Err: Errorf(Conflict, "connection %s is not detached: there is nothing to rebind", c.Name)}
	case c.Target == "" || c.Pinned == c.Target:
		return Outcome{Result: Refused, Err: Errorf(Conflict, "connection %s has no entry in the configuration with a new target: "+
			"rename it to another entry, or release it", c.Name)}
	case c.Pinned == "":
		return Outcome{Result: Refused, Err: Errorf(Conflict, "%s", c.DetachedReason)}
	}
	before := connectionDoc(c)
	c.Pinned, c.State, c.DetachedReason, c.Settled = c.Target, ConnectionOK, "", false
	b.putConnection(c, "connection.rebound", b.cause.Reason, before)
	return Outcome{Result: Applied, ID: c.ID, Connection: c}
}

// renameConnection gives the file's entry To, which must own nothing yet, everything of From.
func (b *batch) renameConnection(ctx context.Context, r ConnectionRename) (Outcome, error) {
	from, to := b.connectionNamed(r.From), b.connectionNamed(r.To)
	switch {
	case from == nil:
		return refuse(Errorf(NotFound, "no connection %q", r.From))
	case to == nil:
		return refuse(Errorf(NotFound, "the configuration has no connection %q: rename the entry in the file first, restart, then run this", r.To))
	case from.ID == to.ID:
		return refuse(Errorf(Invalid, "%s is called that already", r.From))
	case from.State != ConnectionDetached || from.Target != "":
		return refuse(Errorf(Conflict, "connection %s is still in the configuration: only one that left it can be renamed", r.From))
	case from.Kind != to.Kind:
		return refuse(Errorf(Conflict, "connection %s is of kind %s, %s of kind %s", r.From, from.Kind, r.To, to.Kind))
	}
	if n, err := b.tx.Owned(ctx, b.org, to.ID); err != nil || n > 0 {
		return Outcome{Result: Refused, Err: Errorf(Conflict, "connection %s owns %d objects already", r.To, n)}, err
	}
	before := connectionDoc(to)
	to.Pinned, to.Settled, to.Fence = from.Pinned, from.Settled && from.Settings == to.Settings, max(from.Fence, to.Fence)
	to.State, to.DetachedReason = ConnectionOK, ""
	if to.PausedAt(b.tx.Now()) == nil {
		to.Pause = from.Pause
	}
	if to.Pinned != "" && to.Pinned != to.Target {
		to.State = ConnectionDetached
		to.DetachedReason = fmt.Sprintf("its target changed from %s to %s: `rosterd connection rebind %s` accepts the new one", to.Pinned, to.Target, to.Name)
	}
	if err := b.tellOwnership(ctx, from.ID, to.ID, "passed", fmt.Sprintf("connection %s was renamed to %s", r.From, r.To)); err != nil {
		return Outcome{}, err
	}
	// The schedules are those of the file's entry.
	if err := b.dropSchedules(ctx, from.ID); err != nil {
		return Outcome{}, err
	}
	if err := b.tx.Rename(ctx, b.org, from.ID, to.ID); err != nil {
		return Outcome{}, err
	}
	b.putConnection(to, "connection.renamed", fmt.Sprintf("was %s", r.From), before)
	return Outcome{Result: Applied, ID: to.ID, Connection: to}, nil
}

func (b *batch) release(ctx context.Context, r ConnectionRelease) (Outcome, error) {
	c := b.connections[r.ID]
	switch {
	case c == nil:
		return refuse(Errorf(NotFound, "no such connection"))
	case c.State != ConnectionDetached:
		return refuse(Errorf(Conflict, "connection %s is not detached: take it out of the configuration first", c.Name))
	}
	if err := b.tellOwnership(ctx, c.ID, "", "released", fmt.Sprintf("connection %s was released", c.Name)); err != nil {
		return Outcome{}, err
	}
	if err := b.tx.Release(ctx, b.org, c.ID); err != nil {
		return Outcome{}, err
	}
	before := connectionDoc(c)
	c.Pinned, c.Settled = "", false
	if c.Target != "" { // still in the file, with a new target: it starts afresh
		c.State, c.DetachedReason = ConnectionOK, ""
	} else if err := b.dropSchedules(ctx, c.ID); err != nil {
		return Outcome{}, err
	}
	b.putConnection(c, "connection.released", "its objects are unclaimed now, its links dropped, its tokens unbound", before)
	return Outcome{Result: Applied, ID: c.ID, Connection: c}, nil
}

// tellOwnership tells, for each member and team of one connection, that it is another's now, or nobody's: who folds an
// object's events must come to its owner.
func (b *batch) tellOwnership(ctx context.Context, from, to, event, reason string) error {
	members, teams, err := b.tx.OwnedBy(ctx, b.org, from)
	if err != nil {
		return err
	}
	for i := range members {
		now := members[i]
		now.Connection = to
		b.tellMember(&members[i], &now, "member."+event, reason)
	}
	for i := range teams {
		now := teams[i]
		now.Connection = to
		b.tellTeam(&teams[i], &now, "team."+event, reason)
	}
	return nil
}
