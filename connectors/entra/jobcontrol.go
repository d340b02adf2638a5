package entra

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"

	"github.com/rosterd/rosterd/connectors"
)

const writeJobs = "Synchronization.ReadWrite.All"

// CheckJob has Entra try the saved credentials of a provisioning job (Graph documentation, "synchronizationJob:
// validateCredentials"). It needs Synchronization.ReadWrite.All.
func (c *Connector) CheckJob(ctx context.Context, jobID string) error {
	saved := true
	body := serviceprincipals.NewItemSynchronizationJobsItemValidateCredentialsPostRequestBody()
	body.SetUseSavedCredentials(&saved)
	ctx = c.budgeted(ctx)
	a := ask{what: "a check of the provisioning job's credentials", grant: writeJobs}
	_, err := call(ctx, a, func() (struct{}, error) {
		return struct{}{}, c.jobsBuilder().BySynchronizationJobId(jobID).ValidateCredentials().Post(ctx, body, nil)
	})
	return err
}

// RestartJob restarts a provisioning job as the portal does (Graph documentation, "Restart synchronizationJob" and
// "synchronizationJobRestartCriteria resource type"): links between the two sides are kept, and deletions that are held
// back are not forced. It needs Synchronization.ReadWrite.All.
func (c *Connector) RestartJob(ctx context.Context, jobID string) error {
	reset := models.SynchronizationJobRestartScope(models.WATERMARK_SYNCHRONIZATIONJOBRESTARTSCOPE |
		models.ESCROWS_SYNCHRONIZATIONJOBRESTARTSCOPE | models.QUARANTINESTATE_SYNCHRONIZATIONJOBRESTARTSCOPE)
	criteria := models.NewSynchronizationJobRestartCriteria()
	criteria.SetResetScope(&reset)
	body := serviceprincipals.NewItemSynchronizationJobsItemRestartPostRequestBody()
	body.SetCriteria(criteria)
	ctx = c.budgeted(ctx)
	_, err := call(ctx, ask{what: "a restart of the provisioning job", grant: writeJobs}, func() (struct{}, error) {
		return struct{}{}, c.jobsBuilder().BySynchronizationJobId(jobID).Restart().Post(ctx, body, nil)
	})
	return err
}

// Provision sends one person now (Graph documentation, "synchronizationJob: provisionOnDemand"; five requests in ten
// seconds are allowed). It needs Synchronization.ReadWrite.All.
func (c *Connector) Provision(ctx context.Context, jobID, objectID string) (connectors.Provisioned, error) {
	none := connectors.Provisioned{}
	if c.origin.Host == vianetHost {
		return none, &connectors.Error{Fault: connectors.NotFound, Message: "The cloud operated by 21Vianet has no provisioning on demand",
			Fix: "A resync of that person does what the job would."}
	}
	if _, err := parseID(objectID); err != nil {
		return none, err
	}
	ctx = c.budgeted(ctx)
	schema, err := c.JobSchema(ctx, jobID)
	if err != nil {
		return none, err
	}
	users := slices.IndexFunc(schema.Objects, func(o connectors.JobObject) bool { return o.Kind == connectors.JobUsers && o.Enabled })
	if users < 0 {
		return none, &connectors.Error{Fault: connectors.Broken, Message: "The provisioning job sends no users", Fix: "Switch its mapping of users on."}
	}
	kind, subject := "User", models.NewSynchronizationJobSubject()
	subject.SetObjectId(&objectID)
	subject.SetObjectTypeName(&kind)
	rule := schema.Objects[users].RuleID
	parameters := models.NewSynchronizationJobApplicationParameters()
	parameters.SetRuleId(&rule)
	parameters.SetSubjects([]models.SynchronizationJobSubjectable{subject})
	body := serviceprincipals.NewItemSynchronizationJobsItemProvisionOnDemandPostRequestBody()
	body.SetParameters([]models.SynchronizationJobApplicationParametersable{parameters})
	type answer struct{ Key, Value string }
	a := ask{what: "provisioning of user " + objectID + " on demand", grant: writeJobs}
	got, err := readRaw[answer](ctx, c, a, func() (*abs.RequestInformation, error) {
		return c.jobsBuilder().BySynchronizationJobId(jobID).ProvisionOnDemand().ToPostRequestInformation(ctx, body, nil)
	})
	if err != nil {
		return none, err
	}
	return provisioned(a, got.Key, got.Value)
}

// provisioned reads the two members of the answer, which are JSON inside strings.
func provisioned(a ask, key, value string) (connectors.Provisioned, error) {
	var result struct {
		Result  string
		Details struct{ ErrorCode, ErrorMessage string }
	}
	var what struct{ Action string }
	if json.Unmarshal([]byte(key), &result) != nil {
		return connectors.Provisioned{}, a.broken("an answer that is not JSON of the documented form")
	}
	if json.Unmarshal([]byte(value), &what) != nil {
		what.Action = "" // it tells more of what the key says
	}
	out := connectors.Provisioned{
		Outcome: connectors.ProvisionFailed, Action: strings.ToLower(what.Action), Reason: result.Details.ErrorCode, Text: result.Details.ErrorMessage,
	}
	switch strings.ToLower(result.Result) {
	case "success":
		out.Outcome = connectors.ProvisionDone
	case "skipped":
		out.Outcome = connectors.ProvisionSkipped
	}
	return out, nil
}
