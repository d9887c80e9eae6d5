package main

import "github.com/spf13/pflag"

func (p *program) dataFlag(fl *pflag.FlagSet, to *string) {
	fl.StringVar(to, "data", "", "data `directory`; default: WAYBILL_DATA, the configuration, "+systemData+" or the user's own")
}
