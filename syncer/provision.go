package syncer

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/internal/roster"
)

// Provision has the IdP's own job send one person now, whom the key names here or there. It changes nothing by itself:
// what arrives is a push.
func (s *Syncer) Provision(ctx context.Context, org, connection, key string) (roster.Provisioned, error) {
	none := roster.Provisioned{}
	src, err := s.source(connection)
	if err != nil {
		return none, err
	}
	control, can := src.Reader.(connectors.JobController)
	jobs, reads := src.Reader.(connectors.JobReader)
	if !can || !reads {
		return none, roster.Errorf(roster.Invalid, "this kind of connection has no provisioning job that can be asked")
	}
	ctx, done := context.WithTimeout(connectors.WithBudget(connectors.OnceAsked(ctx), connectors.NewBudget(oneCalls)), s.cfg.One)
	defer done()
	object, err := s.objectOf(ctx, org, connection, src, strings.TrimSpace(key))
	if err != nil {
		return none, err
	}
	job, err := jobs.Job(ctx)
	switch {
	case err != nil:
		return none, refusal(ctx, err)
	case job == nil:
		return none, roster.Errorf(roster.Conflict, "the application has no provisioning job")
	}
	got, err := control.Provision(ctx, job.ID, object)
	if err != nil {
		return none, refusal(ctx, err)
	}
	return roster.Provisioned{ObjectID: object, Outcome: string(got.Outcome), Action: storable(got.Action), Reason: storable(got.Reason), Text: storable(got.Text)}, nil
}

// refusal turns what the IdP refused into an error for the operator.
func refusal(ctx context.Context, err error) error {
	if connectors.FaultOf(err) == "" || ctx.Err() != nil {
		return err
	}
	return roster.Errorf(roster.Unavailable, "%s", explain(err))
}

// objectOf finds the IdP's id of a person: by their link here, or by what the IdP knows.
func (s *Syncer) objectOf(ctx context.Context, org, connection string, src Source, key string) (string, error) {
	member, err := s.whom(ctx, &roster.AskOne{Org: org, Key: key})
	if err != nil {
		return "", err
	}
	if member != nil {
		links, err := s.cfg.Store.LinksTo(ctx, org, roster.TypeMember, member.ID)
		if err != nil {
			return "", err
		}
		for _, l := range links {
			if l.Connection == connection {
				return l.ObjectID, nil
			}
		}
		key = member.UserName()
	}
	if uuid.Validate(key) == nil {
		return strings.ToLower(key), nil
	}
	one, ok := src.Reader.(connectors.OneReader)
	if !ok {
		return "", roster.Errorf(roster.Invalid, "this kind of connection can't look a person up: give the identity provider's id")
	}
	found, err := one.FindUsers(ctx, key, key)
	switch {
	case err != nil:
		return "", refusal(ctx, err)
	case len(found) == 0:
		return "", roster.Errorf(roster.NotFound, "nobody there has the userName or email %q", key)
	case len(found) > 1:
		return "", roster.Errorf(roster.Conflict, "several people there have the userName or email %q: give the id of one", key)
	}
	return found[0].ObjectID, nil
}
