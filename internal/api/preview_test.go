package api_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

// Preview makes the runner one that can preview people.
func (r *runner) Preview(_ context.Context, _, connection, key string) (roster.Preview, error) {
	return roster.Preview{
		Key: key, ObjectID: connection, Found: true, Link: roster.PreviewCreate, Would: []string{"create"},
		Values: []roster.PreviewValue{{Target: "userName", Source: "mail", Value: "ada", State: roster.PreviewNew}},
	}, r.err
}

func TestAConnectionIsPreviewedForOnePerson(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		got, err := b.local.PreviewConnection(ctx, "acme", "entra", client.AskPreview{User: "ada"})
		b.ok(err)
		if got.Organisation != "acme" || got.Connection != "entra" || got.Key != "ada" || got.ObjectID != conn || got.MemberID != nil || got.Link != "would_create" ||
			len(got.Attributes) != 1 || got.Attributes[0] != (client.PreviewAttribute{Target: "userName", Source: "mail", Value: "ada", State: "new"}) ||
			got.Read == nil || got.Left == nil || got.Unjudged == nil || got.Teams == nil || len(got.Would) != 1 {
			b.t.Errorf("got %+v", got)
		}
		_, err = b.local.PreviewConnection(ctx, "acme", "nobody", client.AskPreview{User: "ada"})
		b.refused(err, http.StatusNotFound, "not_found", "nobody")
		_, err = b.local.PreviewConnection(ctx, "acme", "entra", client.AskPreview{})
		b.refused(err, http.StatusBadRequest, "invalid", "user")
		b.runs.err = roster.Errorf(roster.NotFound, "nobody is known by it")
		_, err = b.local.PreviewConnection(ctx, "acme", "entra", client.AskPreview{User: "eve"})
		b.refused(err, http.StatusNotFound, "not_found", "nobody is known by it")
	})
}

// JobMapping makes the runner one that can read the mapping of the IdP's own job.
func (r *runner) JobMapping(_ context.Context, _, connection string) (roster.JobMapping, error) {
	return roster.JobMapping{Lines: []roster.JobMappingLine{{Target: "title", Source: "none", Unsent: true}},
		Left: []roster.JobMappingLeft{{Target: "nickName", From: connection, Why: "never"}}}, r.err
}

func TestTheMappingOfTheIdPsOwnJobIsRead(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		conn := b.connection("entra", "t1")
		got, err := b.local.JobMapping(ctx, "acme", "entra")
		b.ok(err)
		if got.Organisation != "acme" || got.Connection != "entra" || len(got.Mapping) != 1 || got.Mapping[0] != (client.MappingLine{Target: "title", Source: "none", Unsent: true}) ||
			len(got.Left) != 1 || got.Left[0] != (client.MappingLeft{Target: "nickName", From: conn, Why: "never"}) {
			b.t.Errorf("got %+v", got)
		}
		b.commit(roster.Cause{}, roster.ConnectionSync{Name: "push", Kind: roster.KindSCIM, Target: "push only"})
		_, err = b.local.JobMapping(ctx, "acme", "push")
		b.refused(err, http.StatusBadRequest, "invalid", "only Entra's")
	})
}
