// Shows openapi.json as a page. Text reaches the page through textContent only.

/** @param {string} name @param {string} [text] @param {(Node | string)[]} children */
function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

/** The last part of a reference, such as Balance. */
const nameOf = (reference) => reference.split("/").pop();

/** A schema in a few words, such as "list of Balance". */
function describeType(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.type === "array") return `list of ${describeType(schema.items)}`;
  if (schema.enum) return schema.enum.join(", ");
  return schema.format ? `${schema.type} (${schema.format})` : (schema.type ?? "");
}

function describeFields(rows) {
  const list = element("dl");
  for (const [name, type, description] of rows) {
    const value = element("dd", "", element("span", type, ""));
    value.firstChild.className = "quiet";
    value.append(element("p", description));
    list.append(element("dt", "", element("code", name)), value);
  }
  return list;
}

/** The fields of a message, closed until somebody looks, with the messages inside it. */
function describeMessage(name, schemas, above = []) {
  const schema = schemas[name];
  const details = element("details", "", element("summary", name));
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    details.append(element("p", schema.description));
    const fields = Object.entries(schema.properties ?? {});
    details.append(describeFields(fields.map(([field, of]) => [field, describeType(of), of.description])));
    const inner = fields.map(([, of]) => (of.items ?? of).$ref).filter(Boolean).map(nameOf);
    for (const each of new Set(inner)) {
      if (schemas[each].properties && !above.includes(each)) {
        details.append(describeMessage(each, schemas, [...above, name]));
      }
    }
  });
  return details;
}

function describeRequest(path, method, operation, components) {
  const section = element("section");
  section.id = operation.operationId;
  section.append(element("h2", "", element("code", `${method.toUpperCase()} ${path}`)));
  for (const paragraph of (operation.description ?? operation.summary).split("\n\n")) {
    section.append(element("p", paragraph));
  }
  const parameters = (operation.parameters ?? []).map((each) =>
    each.$ref ? components.parameters[nameOf(each.$ref)] : each);
  if (parameters.length) {
    section.append(element("h3", "Parameters and headers"));
    section.append(describeFields(parameters.map((each) =>
      [each.name, describeType(each.schema), each.description])));
  }
  const messages = [operation.requestBody, operation.responses["200"]].flatMap((body) =>
    Object.values(body?.content ?? {}).map((each) => each["x-event-data"] ?? each.schema));
  for (const schema of messages.filter((each) => each.$ref)) {
    section.append(describeMessage(nameOf(schema.$ref), components.schemas));
  }
  return section;
}

const api = await (await fetch("../v1/openapi.json")).json();
document.getElementById("introduction").textContent = api.info.description;
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const link = element("a", path);
    link.href = `#${operation.operationId}`;
    document.getElementById("contents").append(element("li", "", link));
    document.getElementById("requests").append(
      describeRequest(path, method, operation, api.components));
  }
}
