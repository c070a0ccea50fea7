// The wire server of the contract suite: says its address on one line, and ends when nobody holds its input any more.
import { createRequire } from "node:module";

const [folder, fixtures] = process.argv.slice(2);
const { LLMock } = createRequire(`${folder}/`)("@copilotkit/aimock");
const mock = new LLMock({ host: "127.0.0.1", port: 0, logLevel: "silent" });
mock.loadFixtureFile(fixtures);
await mock.start();
process.stdout.write(`${mock.url}\n`);
process.stdin.resume();
process.stdin.once("end", () => process.exit(0));
