package app

// Places below the data directory that more than one service knows.
const (
	exportDir   = "pub/export/tracking" // sealed files for collectors
	exportState = "export"              // who collects, what each did, the host key
	qlogdState  = "qlogd"               // a directory per gateway
	namesDir    = "qlogd/.names"        // of the files of the export
	smadJournal = "smad/journal"
	pulledDir   = "log/tracking" // pulled and verified, a directory per gateway
	cliLogs     = "pub/cli_logs"
	smadLogs    = "pub/smad_logs"
	trackerLogs = "pub/trackerd_logs"
)
