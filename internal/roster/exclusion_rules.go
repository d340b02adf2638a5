package roster

import (
	"context"
	"time"
)

// Exclude keeps runs away from a member or team until a time. It takes the place of an earlier one for the same connection.
type Exclude struct {
	Type       ObjectType
	ID         string
	Connection string // id; empty: of every connection
	Until      time.Time
	Reason     string
}

// Include ends what keeps runs away from a member or team: for one connection, or (empty) all of it.
type Include struct {
	Type       ObjectType
	ID         string
	Connection string
}

func (Exclude) change() {}
func (Include) change() {}

// addExclusion names the member or team that is to be loaded.
func (n *needs) addExclusion(typ ObjectType, id string) {
	n.connections = true
	if typ == TypeTeam {
		n.teamIDs = append(n.teamIDs, id)
		return
	}
	n.memberIDs = append(n.memberIDs, id)
}

// excludable is whom a change names; a refusal says that nobody here is.
func (b *batch) excludable(typ ObjectType, id string) (Subject, *Error) {
	subject := Subject{Type: typ, ID: id}
	switch m, t := b.members[id], b.teams[id]; {
	case typ == TypeMember && m != nil:
		subject.Name = m.now.UserName()
	case typ == TypeTeam && t != nil:
		subject.Name = t.now.DisplayName
	default:
		return subject, Errorf(NotFound, "no such %s", typ)
	}
	return subject, nil
}

func (b *batch) exclude(c Exclude) (Outcome, error) {
	subject, refusal := b.excludable(c.Type, c.ID)
	if refusal != nil {
		return refuse(refusal)
	}
	e := Exclusion{
		Org: b.org, Type: c.Type, TargetID: c.ID, Name: subject.Name, Connection: c.Connection, Until: c.Until, Reason: c.Reason,
		By: b.cause.Actor.Name, CreatedAt: b.tx.Now(),
	}
	conn := b.connections[c.Connection]
	switch {
	case !c.Until.After(b.tx.Now()):
		return refuse(Errorf(Invalid, "until: %s is past already", c.Until.UTC().Format(time.RFC3339)))
	case c.Connection != "" && conn == nil:
		return refuse(Errorf(NotFound, "no such connection"))
	case conn != nil:
		e.ConnectionName = conn.Name
	}
	b.rows.Exclusions = append(b.rows.Exclusions, e)
	b.tell(subject, string(c.Type)+".excluded", e.String()+e.scope(), nil, nil)
	return Outcome{Result: Applied, ID: c.ID, Exclusions: []Exclusion{e}}, nil
}

// scope says of which connection's runs an exclusion speaks.
func (e *Exclusion) scope() string {
	if e.ConnectionName == "" {
		return ""
	}
	return ", from runs of connection " + e.ConnectionName
}

func (b *batch) include(ctx context.Context, c Include) (Outcome, error) {
	subject, refusal := b.excludable(c.Type, c.ID)
	if refusal != nil {
		return refuse(refusal)
	}
	all, err := b.tx.Exclusions(ctx, b.org, c.Type, c.ID)
	if err != nil {
		return Outcome{}, err
	}
	var ended []Exclusion
	for i := range all {
		if c.Connection == "" || all[i].Connection == c.Connection {
			ended = append(ended, all[i])
		}
	}
	if len(ended) == 0 {
		return refuse(Errorf(Conflict, "%s is not excluded: there is nothing to end", subject.Name))
	}
	b.rows.DropExclusions = append(b.rows.DropExclusions, ended...)
	for i := range ended {
		b.tell(subject, string(c.Type)+".included", b.cause.Reason+"; was "+ended[i].String()+ended[i].scope(), nil, nil)
	}
	return Outcome{Result: Applied, ID: c.ID, Exclusions: ended}, nil
}
