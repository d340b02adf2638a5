package main

import "github.com/spf13/cobra"

func (p *program) doctorOkta() *cobra.Command {
	cmd := p.doctorConnection(okta, "Tell whether Okta's assignments and pushed groups fit together, and if not, why")
	cmd.Long = `Asks Okta, through the daemon, whether a pull would work, and looks at the
application as its administrator would: what is switched on under Provisioning,
whether each push mapping works and what Okta says if not, groups that are pushed
but not assigned and the other way round, people who would lose the account with
a direct assignment though they are in a pushed group, and people whom Okta could
not push. It says for each what it means and what to do in the Admin Console. Exit
codes: 0 nothing stands in the way, 1 something does.

It reads the same lists as a run, and changes nothing. Of a large org it looks at
as many groups as some hundred calls give, and says how many those are.`
	return cmd
}
