// The API's own description, readable: no script of others, no network but ours.
import { el } from "/web/charts.js";

const METHODS = ["get", "post"];

function fields(schema) {
  const names = Object.entries(schema?.properties ?? {});
  return names.map(([name, one]) => `${name}${schema.required?.includes(name) ? "" : "?"}: ${kind(one)}`).join(", ");
}

function kind(schema) {
  if (schema.anyOf) return schema.anyOf.map(kind).join(" | ");
  if (schema.type === "array") return `[${schema.items ? kind(schema.items) : schema.prefixItems?.map(kind).join(", ") ?? ""}]`;
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "object" && schema.properties) return `{${fields(schema)}}`;
  if (schema.type === "object" && schema.additionalProperties) return `{name: ${kind(schema.additionalProperties)}}`;
  return schema.type ?? "any";
}

function route(path, method, told, schemas) {
  const body = told.requestBody?.content?.["application/json"]?.schema;
  const answer = told.responses?.["200"]?.content?.["application/json"]?.schema;
  const given = (told.parameters ?? []).map((p) => `${p.name} (${p.in}${p.required ? "" : ", optional"})`);
  const lines = [
    told.description?.replaceAll("``", "").replaceAll("\n", " "),
    given.length ? `parameters: ${given.join(", ")}` : "",
    body ? `body: {${fields(body)}}` : "",
    answer?.$ref ? `answer: ${answer.$ref.split("/").pop()} {${fields(schemas[answer.$ref.split("/").pop()])}}` : "",
  ];
  const head = el("code", {}, el("strong", { text: `${method.toUpperCase()} ` }), path);
  return el("div", { class: "route" }, head, ...lines.filter(Boolean).map((text) => el("p", { text })));
}

const answer = await fetch("/openapi.json");
const told = await answer.json();
document.getElementById("about").textContent = told.info.description;
const routes = Object.entries(told.paths).flatMap(([path, methods]) =>
  METHODS.filter((method) => methods[method]).map((method) => route(path, method, methods[method], told.components?.schemas ?? {})),
);
document.getElementById("routes").replaceChildren(...routes);
