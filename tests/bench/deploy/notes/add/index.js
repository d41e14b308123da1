const { randomUUID } = require("node:crypto");
const { DynamoDBClient, PutItemCommand } = require("@aws-sdk/client-dynamodb");

const database = new DynamoDBClient({});

exports.handler = async ({ body }) => {
  const Item = { id: { S: randomUUID() }, text: { S: body } };
  await database.send(new PutItemCommand({ TableName: process.env.TABLE_NAME, Item }));
  return { statusCode: 201 };
};
