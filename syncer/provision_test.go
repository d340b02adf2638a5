package syncer_test

import (
	"context"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/roster"
)

// Whom a key names is sent by the IdP's own job: a member by their link, a stranger by what the IdP knows.
func TestOnePersonIsSentOnDemand(t *testing.T) {
	onSQLite(t, func(w *world) {
		w.baseline()
		w.credentials("good")
		p := w.somebody(0)
		stranger, err := w.tenant.AddUser(idpsim.User{UserPrincipalName: "stranger@contoso.example", Mail: "stranger@mail.example"})
		w.ok(err)
		for key, object := range map[string]string{
			p.UserPrincipalName: p.ObjectID, w.members()[p.UserPrincipalName].ID: p.ObjectID, strings.ToUpper(p.ObjectID): p.ObjectID,
			"stranger@mail.example": stranger.ObjectID, stranger.ObjectID: stranger.ObjectID,
		} {
			got, err := w.syncer.Provision(context.Background(), w.org, w.conn, key)
			if err != nil || got.ObjectID != object || got.Outcome == "" {
				t.Errorf("%s: %+v, %v", key, got, err)
			}
		}
		for what, c := range map[string]struct {
			conn, key string
			code      roster.Code
		}{
			"nobody": {w.conn, "nobody@contoso.example", roster.NotFound}, "no key": {w.conn, " ", roster.Invalid}, "no connection": {"none", "x", roster.Conflict},
		} {
			if _, err := w.syncer.Provision(context.Background(), w.org, c.conn, c.key); roster.CodeOf(err) != c.code {
				t.Errorf("%s: %v", what, err)
			}
		}
		w.tenant.Deny(idpsim.SynchronizationReadWriteAll)
		if _, err := w.syncer.Provision(context.Background(), w.org, w.conn, p.ObjectID); roster.CodeOf(err) != roster.Unavailable || !strings.Contains(err.Error(), "Synchronization.ReadWrite.All") {
			t.Errorf("without the permission: %v", err)
		}
	})
}
