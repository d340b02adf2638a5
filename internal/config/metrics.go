package config

// checkMetricsListen is for the address of a listener that there need not be.
func checkMetricsListen(text string) (string, error) {
	return checkAddress(text, "127.0.0.1:9464; leave it out for no metrics")
}
