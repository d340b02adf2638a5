package daemon

import (
	"testing"

	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/reconcile"
)

func TestGuardsThatNobodySetsAreThePlannersOwn(t *testing.T) {
	guards := config.DefaultGuards()
	if got, want := *limits(&guards), reconcile.DefaultLimits(); got != want {
		t.Errorf("the configuration's defaults are %+v, the planner's %+v", got, want)
	}
}
