// Loaded before a program of Node's: at its end says on standard error what memory it had at most, in MiB.
process.on("exit", () => console.error(`peak_mib ${process.resourceUsage().maxRSS / 1024}`));
